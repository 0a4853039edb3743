// Requests to the server, and the reasons why they fail.

import { errorText, text } from "./texts.js";

const WAITS = 5;
// All captions of the search, and the attention of their words.
const ALL = "n=100&attention=true";

const PAYLOAD_TOO_LARGE = 413;
const TOO_MANY_REQUESTS = 429;
// Statuses after which another try may succeed.
const PASSING = [408, TOO_MANY_REQUESTS, 500, 502, 503, 504];

// A response without a result, and whether another try may succeed.
class Refusal extends Error {
  constructor(message, canRetry) {
    super(message);
    this.canRetry = canRetry;
  }
}

// The refusal of a response. A response that is not from this server is from a proxy.
function refusal({ status }, error) {
  const canRetry = PASSING.includes(status);
  if (error?.code) return new Refusal(errorText(error.code) ?? error.message, canRetry);
  return new Refusal(text("elsewhere", { status }), canRetry);
}

const readJson = (response) => response.json().catch(() => undefined);

// The message of an error, and whether another try may succeed. An error that is not a refusal is a lost connection.
export function explain(error) {
  if (error instanceof Refusal) return { message: error.message, canRetry: error.canRetry };
  console.error(error);
  return { message: text("unreachable"), canRetry: true };
}

// Posts a request; waits while the server is busy.
async function post(address, request, waits = WAITS) {
  const response = await fetch(address, { method: "POST", ...request });
  if (response.status !== TOO_MANY_REQUESTS || waits === 0) return response;
  const seconds = Number(response.headers.get("Retry-After")) || 1;
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  return post(address, request, waits - 1);
}

// Requests the captions of a photo.
export async function requestCaptions(photo, signal) {
  const headers = { "Content-Type": "application/octet-stream" };
  const response = await post(`api/caption?${ALL}`, { body: photo, headers, signal });
  const answer = await readJson(response);
  if (response.ok && answer?.captions) return answer;
  const isOfProxy = response.status === PAYLOAD_TOO_LARGE && !answer?.error?.code;
  throw isOfProxy ? new Refusal(text("refused_on_the_way"), false) : refusal(response, answer?.error);
}

// Fetches one of the page's own photos.
export async function requestSample(address, signal) {
  const response = await fetch(address, { signal });
  const isPhoto = response.headers.get("Content-Type")?.startsWith("image/");
  if (response.ok && isPhoto) return response.blob();
  throw refusal(response, (await readJson(response))?.error);
}

// Requests a ZIP archive with a sidecar for each photo.
export async function requestSidecars(photos) {
  const headers = { "Content-Type": "application/json" };
  const response = await post("api/sidecars", { body: JSON.stringify({ photos }), headers });
  const isArchive = response.headers.get("Content-Type")?.startsWith("application/zip");
  if (response.ok && isArchive) return response.blob();
  throw refusal(response, (await readJson(response))?.error);
}
