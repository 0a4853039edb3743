// The page: photos that are chosen, dropped or pasted get cards, and a worker captions them one after the other.

import { Card } from "./card.js";

const form = document.querySelector("form");
const captions = document.querySelector("#captions");
const loading = document.querySelector(".loading");
const announcement = document.querySelector("#announcement");

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const cards = [];
// Why no photo can be captioned.
let workerProblem = null;

worker.onmessage = ({ data }) => {
  if (data.id === undefined) showLoading(data);
  else finish(cards[data.id], data);
};
worker.onerror = () => {
  workerProblem = "the page could not start its worker: load it again, or use a current browser";
  for (const card of cards) if (card.isWaiting) card.fail(workerProblem);
  announce(workerProblem);
};

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
  loading.hidden = true;
  if (problem) card.fail(problem);
  else card.show(caption);
  announceState(card);
}

// Announces the caption of a photo that is alone; of several the end.
function announceState(card) {
  const isFinished = cards.every((other) => !other.isWaiting);
  if (cards.length === 1) announce(card.message);
  else if (isFinished) announce(`Finished: ${cards.length} photos.`);
}

function announce(message) {
  announcement.textContent = message;
}

function add(files) {
  const added = [...files].map((file) => {
    const card = new Card(file);
    captions.append(card.element);
    cards.push(card);
    if (workerProblem) card.fail(workerProblem);
    else worker.postMessage({ id: cards.length - 1, file });
    return card;
  });
  if (added.length === 0) return;
  announce(workerProblem ?? (added.length === 1 ? "Captioning the photo …" : `Captioning ${added.length} photos …`));
  added[0].element.scrollIntoView({ block: "nearest" });
}

async function addSample(address) {
  const response = await fetch(address);
  if (!response.ok) return announce(`${address}: the server answered ${response.status}`);
  add([new File([await response.blob()], address.replace(/.*\//, ""))]);
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
  button.addEventListener("click", () => addSample(button.dataset.sample));
}
document.addEventListener("paste", (event) => add(event.clipboardData.files));
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
