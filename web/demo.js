// The page: photos that are chosen, dropped or pasted get cards, and a worker captions them one after the other.

import { Card } from "./card.js";

const form = document.querySelector("form");
const captions = document.querySelector("#captions");
const loading = document.querySelector(".loading");
const announcement = document.querySelector("#announcement");

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const cards = new Map();

worker.onmessage = ({ data }) => {
  if (data.id === undefined) showLoading(data);
  else finish(cards.get(data.id), data);
};
worker.onerror = () => {
  announce("The page could not start its worker: use a current browser.");
  for (const card of cards.values()) if (card.isWaiting) card.fail("the page could not start its worker: use a current browser");
};

function showLoading({ loaded, total }) {
  const megabytes = (bytes) => Math.round(bytes / 1e6);
  const [label, progress] = loading.children;
  label.textContent = `Loading the model: ${megabytes(loaded)} of ${megabytes(total)} MB`;
  progress.max = total;
  progress.value = loaded;
  loading.hidden = loaded === total;
}

function finish(card, { caption, problem }) {
  loading.hidden = true;
  if (problem) card.fail(problem);
  else card.show(caption);
  announceState(card);
}

// Announces the caption of a photo that is alone; of several the end.
function announceState(card) {
  const waiting = [...cards.values()].filter((other) => other.isWaiting).length;
  if (cards.size === 1) announce(card.message);
  else if (waiting === 0) announce(`Finished: ${cards.size} photos.`);
}

function announce(message) {
  announcement.textContent = message;
}

function add(files) {
  const added = [...files].map((file) => {
    const card = new Card(file);
    captions.append(card.element);
    cards.set(cards.size, card);
    worker.postMessage({ id: cards.size - 1, file });
    return card;
  });
  if (added.length === 0) return;
  announce(added.length === 1 ? "Captioning the photo …" : `Captioning ${added.length} photos …`);
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
