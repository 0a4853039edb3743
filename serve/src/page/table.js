// A photo as a row of the table: small, with its caption in a text area.

import { connectEditor, updateEditor } from "./editor.js";
import { setLanguage, showState } from "./elements.js";
import { text, wholePercent } from "./texts.js";

export class Row {
  element = document.querySelector("#row").content.querySelector("tr").cloneNode(true);
  #photo;

  constructor(photo, retry) {
    this.#photo = photo;
    this.#find(".file").textContent = photo.name;
    const area = this.#find("textarea");
    area.ariaLabel = text("caption_of", { name: photo.name });
    connectEditor(area, photo);
    const again = this.#find(".again button");
    again.ariaLabel = `${again.textContent}: ${photo.name}`;
    again.addEventListener("click", () => retry(photo));
    this.update();
  }

  update() {
    this.#updatePicture();
    showState(this.element, this.#photo);
    this.#updateConfidence();
    const area = this.#find("textarea");
    area.hidden = !this.#photo.isCaptioned;
    if (this.#photo.isCaptioned) updateEditor(area, this.#photo);
  }

  #find(selector) {
    return this.element.querySelector(selector);
  }

  #updatePicture() {
    const image = this.#find("img");
    const { thumbnailUrl, caption, name, isCaptioned } = this.#photo;
    image.alt = caption ?? name;
    if (isCaptioned) setLanguage(image, this.#photo);
    image.hidden = !thumbnailUrl;
    if (thumbnailUrl && !image.hasAttribute("src")) image.src = thumbnailUrl;
  }

  #updateConfidence() {
    const { confidence, isEdited, isUnsure } = this.#photo;
    this.#find(".confidence").textContent = confidence === undefined ? "" : wholePercent.format(confidence);
    this.#find(".edited").hidden = !isEdited;
    this.#find(".doubt").hidden = !isUnsure;
  }
}
