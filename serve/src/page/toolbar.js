// The progress of several photos, and what can be done with all of them.

import { asCsv } from "./csv.js";
import { copy, save } from "./downloads.js";
import { setHidden } from "./elements.js";
import { explain, requestSidecars } from "./server.js";
import { text } from "./texts.js";
import { asWebPage } from "./webpage.js";

const TITLE = "Showtell";
// More are several archives, as the server limits a request.
const MOST_SIDECARS = 2000;

const toolbar = document.querySelector(".toolbar");
const find = (selector) => toolbar.querySelector(selector);
const message = document.querySelector(".message");

// Such as "7 of 24 captioned, 1 failed".
export function progressOf(album) {
  const counts = { captioned: album.captioned.length, all: album.photos.length, failed: album.failed.length };
  return text(counts.failed > 0 ? "progress_with_failed" : "progress", counts);
}

function say(words) {
  message.textContent = words;
}

// What is said if photos without a caption were left out.
const leftOut = (count) => (count > 0 ? text("left_out", { count }) : "");

const line = (photo) => `${photo.name.replace(/\s/g, " ")}\t${photo.caption}\n`;
const sidecar = ({ name, caption, isEdited }) => ({ name, caption, edited: isEdited });

export class Toolbar {
  #album;
  #gallery;

  // `clear` removes all photos.
  constructor(album, gallery, clear) {
    this.#album = album;
    this.#gallery = gallery;
    for (const input of toolbar.querySelectorAll("[name=view]")) {
      input.addEventListener("change", () => gallery.choose(input.value));
    }
    const click = (selector, action) => find(selector).addEventListener("click", action);
    click(".retry-all", () => album.retryFailed());
    click(".copy-all", () => this.#copy());
    click(".csv", () => this.#save("captions.csv", "text/csv", asCsv));
    click(".web-page", () => this.#save("captions.html", "text/html", asWebPage));
    click(".sidecars", () => this.#saveSidecars());
    click(".clear", clear);
    // The clipboard is available only to encrypted pages and those of this machine.
    find(".copy-all").hidden = !navigator.clipboard;
  }

  update() {
    const { photos, captioned, failed, retriable, isSettled } = this.#album;
    toolbar.hidden = photos.length < 2;
    document.title = toolbar.hidden || isSettled ? TITLE : `${captioned.length}/${photos.length} · ${TITLE}`;
    if (toolbar.hidden) return;
    find(".counts").textContent = progressOf(this.#album);
    Object.assign(find("progress"), { max: photos.length, value: captioned.length + failed.length });
    setHidden(find(".retry-all"), retriable.length === 0, find("[name=view]:checked"));
    find(`[value=${this.#gallery.view}]`).checked = true;
  }

  // Removes the message about an earlier download.
  reset() {
    say("");
  }

  async #copy() {
    const { photos, captioned } = this.#album;
    if (captioned.length === 0) {
      say(text("nothing_yet"));
      return;
    }
    await copy(captioned.map(line).join(""));
    say([text("copied"), leftOut(photos.length - captioned.length)].join(". ").trim());
  }

  async #save(name, type, format) {
    const settled = this.#album.photos.filter((photo) => photo.isSettled);
    save(name, type, await format(settled));
    say(leftOut(this.#album.photos.length - settled.length));
  }

  async #saveSidecars() {
    const { photos, captioned } = this.#album;
    if (captioned.length === 0) {
      say(text("nothing_yet"));
      return;
    }
    try {
      for (let start = 0; start < captioned.length; start += MOST_SIDECARS) {
        const archive = await requestSidecars(captioned.slice(start, start + MOST_SIDECARS).map(sidecar));
        const part = captioned.length > MOST_SIDECARS ? `-${1 + start / MOST_SIDECARS}` : "";
        save(`sidecars${part}.zip`, archive.type, archive);
      }
      say(leftOut(photos.length - captioned.length));
    } catch (error) {
      say(explain(error).message);
    }
  }
}
