// A photo as a card: large, with the attention of each word, and the alternatives of its caption.

import { Attention } from "./attention.js";
import { makeWords } from "./caption.js";
import { copy, save, stem } from "./downloads.js";
import { connectEditor, updateEditor } from "./editor.js";
import { setHidden, setLanguage, showState } from "./elements.js";
import { announce, probability, share, text } from "./texts.js";

export class Card {
  element = document.querySelector("#result").content.querySelector("article").cloneNode(true);
  #photo;
  #isEditing = false;
  #attention;
  // The caption whose words are shown.
  #shown;

  constructor(photo, retry) {
    this.#photo = photo;
    this.element.ariaLabel = photo.name;
    this.#find(".file").textContent = photo.name;
    this.#listen(retry);
    this.update();
  }

  update() {
    const photo = this.#photo;
    this.#updatePicture();
    showState(this.element, photo);
    for (const selector of [".caption", ".actions", ".weighed"]) this.#find(selector).hidden = !photo.isCaptioned;
    this.element.classList.toggle("captioned", photo.isCaptioned);
    if (photo.isCaptioned) this.#updateCaption();
  }

  #find(selector) {
    return this.element.querySelector(selector);
  }

  #listen(retry) {
    const click = (selector, action) => this.#find(selector).addEventListener("click", action);
    click(".again button", () => retry(this.#photo));
    click(".edit", () => this.#setEditing(true));
    click(".done", () => this.#setEditing(false));
    // The text area keeps the focus until the click: without it the button could move away in between.
    this.#find(".done").addEventListener("pointerdown", (event) => event.preventDefault());
    click(".copy", () => this.#copy());
    click(".text-file", () => this.#saveText());
    click(".json-file", () => this.#saveJson());
    connectEditor(this.#find("textarea"), this.#photo);
    this.#find(".editor").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#setEditing(false);
    });
    this.#find("img").addEventListener("error", () => {
      this.#find(".photo").hidden = true;
      this.element.classList.add("unseen");
    });
  }

  #updatePicture() {
    const image = this.#find("img");
    image.alt = this.#photo.caption ?? this.#photo.name;
    if (this.#photo.isCaptioned) setLanguage(image, this.#photo);
    if (this.#photo.url && !image.hasAttribute("src")) image.src = this.#photo.url;
  }

  #updateCaption() {
    const { caption, answer, isEdited, isUnsure } = this.#photo;
    if (this.#shown !== caption) {
      this.#shown = caption;
      this.#showCaption();
      this.#showWeighed();
      this.#find(".copy").textContent = text("copy");
    }
    this.#find(".caption").hidden = this.#isEditing;
    for (const selector of [".about-word", ".words-hint"]) this.#find(selector).hidden = isEdited || this.#isEditing;
    this.#find(".unsure").hidden = !isUnsure;
    this.#find(".unfamiliar").hidden = !answer.unfamiliar;
    this.#find(".edited").hidden = !isEdited;
    this.#showTags(answer.tags ?? []);
    updateEditor(this.#find("textarea"), this.#photo);
  }

  // An edited caption is plain text: the network has no attention for it.
  #showCaption() {
    const { caption, answer, candidate, isEdited } = this.#photo;
    const element = this.#find(".caption");
    setLanguage(element, this.#photo);
    this.#attention?.hide();
    this.#find(".about-word").textContent = "";
    if (isEdited) {
      element.textContent = caption;
      return;
    }
    this.#attention ??= new Attention(this.#find("canvas"), answer.seen);
    element.replaceChildren(makeWords(candidate.words, (word) => this.#showWord(word)));
  }

  #showWord(word) {
    const about = word ? `${word.text}: ${text("probability")} ${probability.format(word.probability)}` : "";
    this.#find(".about-word").textContent = about;
    if (word) this.#attention.show(word.attention);
    else this.#attention.hide();
  }

  // The probable classes by the classifier that the encoder was made of.
  #showTags(tags) {
    const element = this.#find(".tags");
    const parts = tags.map((tag) => `${tag.name} ${probability.format(tag.probability)}`);
    element.querySelector("span").textContent = parts.join(", ");
    element.hidden = tags.length === 0;
  }

  #showWeighed() {
    const list = this.#find("ol");
    if (list.children.length === 0) list.append(...this.#makeAlternatives());
    for (const button of list.querySelectorAll("button")) {
      const isChosen = button.value === this.#photo.caption;
      button.ariaPressed = String(isChosen);
      button.textContent = text(isChosen ? "in_use" : "use");
      button.ariaLabel = `${button.textContent}: ${button.value}`;
    }
  }

  // The captions with their weights, the softmax of their scores, as on the page without JavaScript.
  #makeAlternatives() {
    const { captions } = this.#photo.answer;
    const [best] = captions;
    const alike = captions.filter((caption) => caption.finished === best.finished);
    const weights = alike.map((caption) => Math.exp(caption.score - best.score));
    const all = weights.reduce((sum, weight) => sum + weight);
    return alike.map((caption, at) => this.#makeAlternative(captions.indexOf(caption), weights[at] / all));
  }

  #makeAlternative(place, weight) {
    const { sentence } = this.#photo.answer.captions[place];
    const [item, label, weighed, button] = ["li", "span", "data", "button"].map((name) => document.createElement(name));
    Object.assign(label, { textContent: sentence, lang: "en" });
    Object.assign(weighed, { value: weight, textContent: share.format(weight) });
    Object.assign(button, { type: "button", className: "use", value: sentence });
    button.addEventListener("click", () => this.#photo.choose(place));
    item.append(label, " ", weighed, " ", button);
    return item;
  }

  #setEditing(isEditing) {
    this.#isEditing = isEditing;
    const [editor, edit] = [this.#find(".editor"), this.#find(".edit")];
    if (isEditing) {
      editor.hidden = false;
      this.#find("textarea").focus();
    }
    edit.hidden = isEditing;
    setHidden(editor, !isEditing, edit);
    this.update();
  }

  async #copy() {
    await copy(this.#photo.caption);
    announce(text("copied"));
    this.#find(".copy").textContent = text("copied");
  }

  #saveText() {
    save(`${stem(this.#photo.name)}.txt`, "text/plain", `${this.#photo.caption}\n`);
  }

  // The caption that is shown replaces the best one; the candidates remain, the chosen one first.
  #saveJson() {
    const { answer, candidate, candidates, caption, confidence, isEdited, name } = this.#photo;
    const words = isEdited ? caption : candidate.text;
    const shown = { caption: words, sentence: caption, confidence, captions: candidates };
    save(`${stem(name)}.json`, "application/json", JSON.stringify({ ...answer, ...shown }, null, 2));
  }
}
