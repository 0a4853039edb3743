// The page with JavaScript: photos are sent when they are chosen, and captions appear without a new page.

import { completeAbout } from "./about.js";
import { Gallery } from "./gallery.js";
import { Album, Photo } from "./photos.js";
import { requestSample } from "./server.js";
import { announce, text } from "./texts.js";
import { progressOf, Toolbar } from "./toolbar.js";

const form = document.querySelector("form");
const captions = document.querySelector("#captions");

const album = new Album({ onchange: (photo) => gallery.update(photo), onstate: report });
const gallery = new Gallery(album);
const toolbar = new Toolbar(album, gallery, clear);

function report(photo) {
  toolbar.update();
  announceState(photo);
}

// Announces the caption of a photo that was chosen alone; of several, the first problem and the end.
function announceState(photo) {
  const isAlone = album.batch.length === 1;
  const isFirstProblem = photo.isFailed && album.batch.filter((other) => other.isFailed).length === 1;
  if (isAlone && photo.state === "working") announce(text("working"));
  else if (isAlone && photo.isCaptioned) announce(photo.caption, "en");
  else if (isFirstProblem) announce(`${photo.name}: ${photo.problem}`);
  if (!isAlone && photo.isSettled && album.isSettled) announce(text("all_done", { progress: progressOf(album) }));
}

function add(photos) {
  if (photos.length === 0) return;
  const isFirst = album.photos.length === 0;
  album.add(photos);
  gallery.refresh();
  toolbar.reset();
  toolbar.update();
  const target = isFirst ? captions : gallery.elementOf(photos[0]);
  target.scrollIntoView({ block: isFirst ? "nearest" : "start" });
}

function clear() {
  if (album.photos.some((photo) => photo.isEdited) && !confirm(text("confirm_clear"))) return;
  album.clear();
  gallery.refresh();
  toolbar.reset();
  toolbar.update();
  announce(text("cleared"));
  form.querySelector("#image").focus();
}

const addFiles = (files) => add([...files].map((file) => new Photo(file.name, () => file)));

document.documentElement.classList.add("scripted");
for (const element of document.querySelectorAll(".samples, .invite, .camera")) element.hidden = false;
completeAbout();
for (const input of form.querySelectorAll("input")) {
  input.addEventListener("change", () => {
    addFiles(input.files);
    input.value = "";
  });
}
for (const button of document.querySelectorAll("[data-sample]")) {
  const address = button.dataset.sample;
  const name = address.replace(/.*\//, "");
  button.addEventListener("click", () => add([new Photo(name, (signal) => requestSample(address, signal))]));
}
// Edited captions are lost with the page.
addEventListener("beforeunload", (event) => {
  if (album.photos.some((photo) => photo.isEdited)) event.preventDefault();
});
document.addEventListener("paste", (event) => addFiles(event.clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  form.classList.add("dropping");
});
document.addEventListener("dragleave", () => form.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("dropping");
  addFiles(event.dataTransfer.files);
});
