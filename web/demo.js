// The page: photos that are chosen, dropped or pasted get cards, and a worker captions them one after the other.

import { Card } from "./card.js";

const form = document.querySelector("form");
const captions = document.querySelector("#captions");
const loading = document.querySelector(".loading");
const announcement = document.querySelector("#announcement");

// The worker that owns the networks; none before the first photo, and after one that could not load them.
let worker = null;
// The cards since no photo was waiting. The worker gets the index of a card as its id.
let batch = [];

function startWorker() {
  const started = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  started.onmessage = ({ data }) => {
    if (data.failure) endWorker(data.failure);
    else if (data.id === undefined) showLoading(data);
    else finish(batch[data.id], data);
  };
  started.onerror = () => {
    endWorker("the page could not start its worker: check the connection, then add the photo again, or use a current browser");
  };
  return started;
}

function endWorker(problem) {
  // More messages and errors of an ended worker may be on their way.
  worker.onmessage = null;
  worker.onerror = null;
  worker.terminate();
  worker = null;
  for (const card of batch) if (card.isWaiting) card.fail(problem);
  showEnd();
}

// Shows the progress until the first caption. Some servers do not state sizes.
function showLoading({ loaded, total }) {
  if (loading.hidden) announce("Loading the model …");
  const megabytes = (bytes) => Math.round(bytes / 1e6);
  const [label, progress] = loading.children;
  const isPart = loaded < total;
  label.textContent = `Loading the model: ${megabytes(loaded)}${isPart ? ` of ${megabytes(total)}` : ""} MB`;
  if (isPart) Object.assign(progress, { max: total, value: loaded });
  else progress.removeAttribute("value");
  loading.hidden = false;
}

function finish(card, { caption, problem }) {
  if (caption) card.show(caption);
  else card.fail(problem);
  showEnd();
}

// Announces the caption or the problem of a photo that is alone; of several their number.
function showEnd() {
  loading.hidden = true;
  if (batch.some((card) => card.isWaiting)) return;
  const failed = batch.filter((card) => card.hasFailed).length;
  if (batch.length === 1) announce(batch[0].message);
  else announce(`Finished: ${batch.length} photos${failed ? `, ${failed} not captioned` : ""}.`);
}

function announce(message) {
  announcement.textContent = message;
}

// Adds photos: files, or samples `{ name, address }`.
function add(photos) {
  if (photos.length === 0) return;
  if (batch.every((card) => !card.isWaiting)) batch = [];
  worker ??= startWorker();
  for (const photo of photos) {
    const card = new Card(photo);
    captions.append(card.element);
    worker.postMessage({ id: batch.push(card) - 1, photo });
  }
  announce(photos.length === 1 ? "Captioning the photo …" : `Captioning ${photos.length} photos …`);
  batch.at(-photos.length).element.scrollIntoView({ block: "nearest" });
}

// The licence of the training data is that of the model which the page has.
async function showLicence() {
  const response = await fetch("models/showtell/manifest.json");
  const manifest = await response.json();
  document.querySelector("#data-licence").textContent = manifest.data_licence ?? "not stated";
}

form.querySelector("input").addEventListener("change", (event) => {
  add(event.target.files);
  event.target.value = "";
});
for (const button of document.querySelectorAll("[data-sample]")) {
  const address = button.dataset.sample;
  button.addEventListener("click", () => add([{ name: address.replace(/.*\//, ""), address }]));
}
document.addEventListener("paste", (event) => add(event.clipboardData?.files ?? []));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  form.classList.add("dropping");
});
document.addEventListener("dragleave", () => form.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("dropping");
  add(event.dataTransfer.files);
});
showLicence().catch(() => {
  document.querySelector("#data-licence").textContent = "models/showtell/manifest.json could not be read";
});
document.querySelector("#unstarted").remove();
