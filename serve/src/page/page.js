// The page with JavaScript: photos are sent when they are chosen, and captions appear without a new page.

import { Attention } from "./attention.js";
import { fill, sentence } from "./caption.js";

const WAITS = 5;
// All captions of the search, and the attention of their words.
const ALL = "n=100&attention=true";

const form = document.querySelector("form");
const captions = document.querySelector("#captions");
const announcement = document.querySelector("#announcement");
const template = document.querySelector("#result").content;
const errors = document.querySelector("#errors").content;
const texts = captions.dataset;

const PAYLOAD_TOO_LARGE = 413;
const TOO_MANY_REQUESTS = 429;
// Statuses after which another try may succeed.
const PASSING = [408, TOO_MANY_REQUESTS, 500, 502, 503, 504];

// The reason why there is no caption, and whether another try may succeed.
class Refusal extends Error {
  constructor(message, again) {
    super(message);
    this.again = again;
  }
}

// The error of a response without a caption. A response that is not from this server is from a proxy.
function refusal({ status }, error) {
  const again = PASSING.includes(status);
  if (error?.code) {
    const known = errors.querySelector(`[data-code="${CSS.escape(error.code)}"]`);
    return new Refusal(known?.textContent ?? error.message, again);
  }
  if (status === PAYLOAD_TOO_LARGE) return new Refusal(texts.refusedOnTheWay, false);
  return new Refusal(texts.elsewhere.replace("{status}", status), again);
}

// Requests the caption of a photo; waits while the queue is full.
async function ask(photo, waits = WAITS) {
  const headers = { "Content-Type": "application/octet-stream" };
  const response = await fetch(`api/caption?${ALL}`, { method: "POST", body: photo, headers });
  const answer = await response.json().catch(() => undefined);
  if (response.ok && answer?.captions) return answer;
  if (response.status === TOO_MANY_REQUESTS && waits > 0) {
    const seconds = Number(response.headers.get("Retry-After")) || 1;
    await new Promise((done) => setTimeout(done, 1000 * seconds));
    return ask(photo, waits - 1);
  }
  throw refusal(response, answer?.error);
}

const percent = (options) => new Intl.NumberFormat(document.documentElement.lang, { style: "percent", ...options });
const format = percent({ maximumSignificantDigits: 2 });
const shareFormat = percent({ minimumFractionDigits: 1, maximumFractionDigits: 1 });

function showWords(article, answer) {
  const attention = new Attention(article.querySelector("canvas"), answer.seen);
  const about = article.querySelector(".about-word");
  about.hidden = false;
  article.querySelector(".words-hint").hidden = false;
  fill(article.querySelector(".caption"), answer.captions[0].words, texts.words, (word) => {
    about.textContent = word ? `${word.text}: ${texts.probability} ${format.format(word.probability)}` : "";
    if (word) attention.show(word.attention);
    else attention.hide();
  });
}

// The probable classes by the classifier that the encoder was made of.
function showTags(article, tags) {
  const element = article.querySelector(".tags");
  element.querySelector("span").textContent = tags.map((tag) => `${tag.name} ${format.format(tag.probability)}`).join(", ");
  element.hidden = tags.length === 0;
}

// The captions with their weights, the softmax of their scores, as on the page without JavaScript.
function showWeighed(article, captions) {
  const [best] = captions;
  const alike = captions.filter((caption) => caption.finished === best.finished);
  const weights = alike.map((caption) => Math.exp(caption.score - best.score));
  const all = weights.reduce((sum, weight) => sum + weight);
  const items = alike.map((caption, at) => {
    const [item, text, share] = ["li", "span", "data"].map((name) => document.createElement(name));
    text.textContent = sentence(caption.words).join(" ");
    share.value = weights[at] / all;
    share.textContent = shareFormat.format(share.value);
    item.append(text, " ", share);
    return item;
  });
  article.querySelector("ol").replaceChildren(...items);
  article.querySelector(".weighed").hidden = false;
}

function offer(article, answer, text) {
  const file = (kind, content) => URL.createObjectURL(new Blob([content], { type: kind }));
  article.querySelector(".text-file").href = file("text/plain", `${text}\n`);
  article.querySelector(".json-file").href = file("application/json", JSON.stringify(answer, null, 2));
  const copy = article.querySelector(".copy");
  // The clipboard is available only to encrypted pages and those of this machine.
  copy.hidden = !navigator.clipboard;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    announcement.textContent = texts.copied;
    copy.textContent = texts.copied;
  });
  article.querySelector(".actions").hidden = false;
}

function showAnswer(article, answer) {
  const text = sentence(answer.captions[0].words).join(" ");
  showWords(article, answer);
  article.querySelector(".unsure").hidden = !(answer.confidence < Number(texts.unsureBelow));
  article.querySelector(".unfamiliar").hidden = !answer.unfamiliar;
  showTags(article, answer.tags ?? []);
  showWeighed(article, answer.captions);
  offer(article, answer, text);
  announcement.textContent = text;
}

// Adds an article for the photo above the others, until its caption arrives.
function begin(name) {
  const article = template.querySelector("article").cloneNode(true);
  const file = article.querySelector(".file");
  file.textContent = name;
  file.hidden = !name;
  captions.prepend(article);
  return article;
}

// Shows the photo, if the browser supports its format.
function preview(article, photo) {
  const image = article.querySelector("img");
  image.addEventListener("error", () => {
    article.querySelector(".photo").hidden = true;
    article.classList.add("unseen");
  });
  image.src = URL.createObjectURL(photo);
}

function state(article, text, isProblem = false) {
  const element = article.querySelector(".state");
  element.textContent = text;
  element.hidden = text === "";
  element.classList.toggle("problem", isProblem);
  const name = article.querySelector(".file").textContent;
  announcement.textContent = isProblem && name ? `${name}: ${text}` : text;
}

// Captions the photo that `load` returns, and offers another try if that may help.
async function show(name, load) {
  const article = begin(name);
  const again = article.querySelector(".again");
  const run = async () => {
    again.hidden = true;
    article.ariaBusy = "true";
    state(article, texts.working);
    try {
      const photo = await load();
      if (!article.querySelector("img").hasAttribute("src")) preview(article, photo);
      const answer = await ask(photo);
      state(article, "");
      article.classList.add("captioned");
      showAnswer(article, answer);
    } catch (error) {
      const isRefusal = error instanceof Refusal;
      if (!isRefusal) console.error(error);
      state(article, isRefusal ? error.message : texts.unreachable, true);
      again.hidden = isRefusal && !error.again;
    }
    article.ariaBusy = "false";
  };
  again.querySelector("button").addEventListener("click", run);
  await run();
}

function take(files) {
  const photos = [...files];
  photos.forEach((photo) => show(photo.name, () => photo));
  if (photos.length > 0) captions.scrollIntoView({ block: "nearest" });
}

async function fetchSample(address) {
  const response = await fetch(address);
  if (!response.ok) throw refusal(response);
  return response.blob();
}

function takeChosen(event) {
  take(event.target.files);
  event.target.value = "";
}

document.documentElement.classList.add("scripted");
for (const element of document.querySelectorAll(".samples, .invite, .camera")) element.hidden = false;
for (const input of form.querySelectorAll("input")) input.addEventListener("change", takeChosen);
for (const button of document.querySelectorAll("[data-sample]")) {
  const name = button.querySelector("img").alt;
  button.addEventListener("click", () => show(name, () => fetchSample(button.dataset.sample)));
}
document.addEventListener("paste", (event) => take(event.clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  form.classList.add("dropping");
});
document.addEventListener("dragleave", () => form.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("dropping");
  take(event.dataTransfer.files);
});
