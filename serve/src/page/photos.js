// The photos of the page: the state of each, and the pool that captions them.

import { explain, requestCaptions } from "./server.js";
import { makeThumbnail } from "./thumbnail.js";

// More requests at a time would fill the server's queue.
const MOST_REQUESTS = 4;
const UNSURE_BELOW = Number(document.querySelector("#captions").dataset.unsureBelow);

// A photo with its state: "waiting", "working", "captioned" or "failed".
export class Photo {
  state = "waiting";
  // The response of the server, if there is one.
  answer;
  // The reason why there is no caption, and whether another try may succeed.
  problem;
  canRetry = false;
  // The candidate that is the caption: its place, the best one unless the user chose another.
  chosen = 0;
  // The user's own text in its place.
  edited;
  // Object URLs of the photo and of a small copy of it, and the copy.
  url;
  thumbnailUrl;
  thumbnail;
  #load;
  #file;
  #removal = new AbortController();
  // Called after each change, and after each change of the state.
  onchange = () => {};
  onstate = () => {};

  // `load` returns the file, or a promise of it.
  constructor(name, load) {
    this.name = name;
    this.#load = load;
  }

  get isCaptioned() {
    return this.state === "captioned";
  }

  get isFailed() {
    return this.state === "failed";
  }

  get isSettled() {
    return this.isCaptioned || this.isFailed;
  }

  get isEdited() {
    return this.edited !== undefined;
  }

  // The caption that is shown, copied and downloaded; undefined before there is one.
  get caption() {
    return this.edited ?? this.candidate?.sentence;
  }

  get candidate() {
    return this.answer?.captions[this.chosen];
  }

  // The candidates, the chosen one first.
  get candidates() {
    const others = this.answer.captions.filter((caption) => caption !== this.candidate);
    return [this.candidate, ...others];
  }

  // The calibrated probability that the caption is right, which is known for the best candidate.
  get confidence() {
    return this.isEdited || this.chosen > 0 ? undefined : this.answer?.confidence;
  }

  get isUnsure() {
    return this.confidence < UNSURE_BELOW;
  }

  // Makes a candidate the caption.
  choose(at) {
    this.chosen = at;
    this.edited = undefined;
    this.onchange();
  }

  // Replaces the caption. Without words that of the model returns.
  edit(text) {
    const caption = text.trim().replace(/\s+/g, " ");
    const isNew = caption !== "" && caption !== this.candidate.sentence;
    this.edited = isNew ? caption : undefined;
    this.onchange();
  }

  wait() {
    this.#become("waiting");
  }

  // Loads and captions the photo.
  async work() {
    this.#become("working");
    const { signal } = this.#removal;
    try {
      this.#file ??= await this.#load(signal);
      if (signal.aborted) return;
      this.#show();
      [this.answer] = await Promise.all([requestCaptions(this.#file, signal), this.#shrink()]);
      this.#become("captioned");
    } catch (error) {
      if (signal.aborted) return;
      const { message, canRetry } = explain(error);
      Object.assign(this, { problem: message, canRetry });
      this.#become("failed");
    }
  }

  // Cancels the request, and frees the memory of the pictures.
  remove() {
    this.onchange = this.onstate = () => {};
    this.#removal.abort();
    [this.url, this.thumbnailUrl].filter(Boolean).forEach((url) => URL.revokeObjectURL(url));
  }

  #become(state) {
    this.state = state;
    this.onchange();
    this.onstate();
  }

  #show() {
    if (this.url) return;
    this.url = URL.createObjectURL(this.#file);
    this.onchange();
  }

  async #shrink() {
    if (this.thumbnail) return;
    const thumbnail = await makeThumbnail(this.#file);
    if (!thumbnail || this.#removal.signal.aborted) return;
    this.thumbnail = thumbnail;
    this.thumbnailUrl = URL.createObjectURL(thumbnail);
    this.onchange();
  }
}

// All photos, in the order in which they were chosen.
export class Album {
  photos = [];
  // The photos that were started since all the others were ready.
  batch = [];
  #waiting = [];
  #running = 0;
  #onchange;
  #onstate;

  // These are called with each photo that changed, and with each one that has a new state.
  constructor({ onchange, onstate }) {
    this.#onchange = onchange;
    this.#onstate = onstate;
  }

  add(photos) {
    this.photos.push(...photos);
    for (const photo of photos) {
      photo.onchange = () => this.#onchange(photo);
      photo.onstate = () => this.#onstate(photo);
    }
    this.#start(photos);
  }

  retry(photo) {
    this.#start([photo]);
  }

  retryFailed() {
    this.#start(this.retriable);
  }

  get retriable() {
    return this.photos.filter((photo) => photo.isFailed && photo.canRetry);
  }

  get captioned() {
    return this.photos.filter((photo) => photo.isCaptioned);
  }

  get failed() {
    return this.photos.filter((photo) => photo.isFailed);
  }

  get isSettled() {
    return this.photos.every((photo) => photo.isSettled);
  }

  clear() {
    this.photos.forEach((photo) => photo.remove());
    this.photos = [];
    this.batch = [];
    this.#waiting = [];
  }

  #start(photos) {
    if (this.batch.every((photo) => photo.isSettled)) this.batch = [];
    this.batch.push(...photos);
    this.#waiting.push(...photos);
    photos.forEach((photo) => photo.wait());
    while (this.#running < MOST_REQUESTS && this.#waiting.length > 0) this.#next();
  }

  async #next() {
    const photo = this.#waiting.shift();
    if (!photo) return;
    this.#running += 1;
    await photo.work();
    this.#running -= 1;
    this.#next();
  }
}
