// The page with JavaScript: photos are sent by themselves, and captions come without a new page.

import { Attention } from "./attention.js";
import { fill, sentence } from "./caption.js";

const WAITS = 5;

const form = document.querySelector("form");
const captions = document.querySelector("#captions");
const announcement = document.querySelector("#announcement");
const template = document.querySelector("#result").content;
const errors = document.querySelector("#errors").content;
const texts = captions.dataset;

class Refusal extends Error {}

// The caption of a photo from the server. A full queue is waited for.
async function ask(photo, waits = WAITS) {
  const headers = { "Content-Type": "application/octet-stream" };
  const response = await fetch("/api/caption", { method: "POST", body: photo, headers });
  const answer = await response.json();
  if (response.ok) return answer;
  if (response.status === 429 && waits > 0) {
    await new Promise((done) => setTimeout(done, 1000 * response.headers.get("Retry-After")));
    return ask(photo, waits - 1);
  }
  const known = errors.querySelector(`[data-code="${answer.error.code}"]`);
  throw new Refusal(known?.textContent ?? answer.error.message);
}

const format = new Intl.NumberFormat(document.documentElement.lang, { style: "percent", maximumSignificantDigits: 2 });

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

// All captions, with their shares of the probability that they have together.
function showWeighed(article, weighed) {
  const probabilities = weighed.map((caption) => Math.exp(caption.log_probability - weighed[0].log_probability));
  const all = probabilities.reduce((sum, probability) => sum + probability);
  const items = weighed.map((caption, at) => {
    const [item, text, share] = ["li", "span", "data"].map((name) => document.createElement(name));
    text.textContent = sentence(caption.words).join(" ");
    share.value = probabilities[at] / all;
    share.textContent = format.format(share.value);
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
  // Browsers lend the clipboard to this machine's own pages and to encrypted ones only.
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
  showWeighed(article, answer.captions);
  offer(article, answer, text);
  announcement.textContent = text;
}

// An article for the photo, above the others, while its caption is not known.
function begin(photo) {
  const article = template.querySelector("article").cloneNode(true);
  const image = article.querySelector("img");
  image.addEventListener("error", () => {
    article.querySelector(".photo").hidden = true;
    article.querySelector(".no-preview").hidden = false;
  });
  image.src = URL.createObjectURL(photo);
  article.ariaBusy = "true";
  state(article, texts.working);
  captions.prepend(article);
  return article;
}

function state(article, text, isProblem = false) {
  const element = article.querySelector(".state");
  element.textContent = text;
  element.hidden = text === "";
  element.classList.toggle("problem", isProblem);
  announcement.textContent = text;
}

async function show(photo) {
  const article = begin(photo);
  try {
    const answer = await ask(photo);
    state(article, "");
    showAnswer(article, answer);
  } catch (error) {
    state(article, error instanceof Refusal ? error.message : texts.unreachable, true);
  }
  article.ariaBusy = "false";
}

function take(files) {
  const photos = [...files];
  photos.forEach(show);
  if (photos.length > 0) captions.scrollIntoView({ block: "nearest" });
}

function takeChosen(event) {
  take(event.target.files);
  event.target.value = "";
}

document.documentElement.classList.add("scripted");
for (const element of document.querySelectorAll(".samples, .invite, .camera")) element.hidden = false;
for (const input of form.querySelectorAll("input")) input.addEventListener("change", takeChosen);
for (const button of document.querySelectorAll("[data-sample]")) {
  button.addEventListener("click", async () => take([await (await fetch(button.dataset.sample)).blob()]));
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
