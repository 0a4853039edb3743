// The photos in one of two views, as cards or as rows of a table. Only the shown view has elements.

import { Card } from "./cards.js";
import { Row } from "./table.js";

// More photos are a table, unless the user chose otherwise.
const MOST_CARDS = 6;

const section = document.querySelector("#captions");
const views = {
  cards: { Item: Card, whole: section.querySelector(".cards"), list: section.querySelector(".cards") },
  table: { Item: Row, whole: section.querySelector("table"), list: section.querySelector("tbody") },
};

export class Gallery {
  // The name of the shown view.
  view = "cards";
  #album;
  #chosen;
  // By photo.
  #items = new Map();

  constructor(album) {
    this.#album = album;
  }

  // Chooses a view for all numbers of photos that have a choice.
  choose(view) {
    this.#chosen = view;
    this.refresh();
  }

  // Shows the photos that were added or removed.
  refresh() {
    const view = this.#best();
    if (view !== this.view) this.#switch(view);
    const { photos } = this.#album;
    if (photos.length === 0) this.#empty();
    this.#append(photos.filter((photo) => !this.#items.has(photo)));
  }

  update(photo) {
    this.#items.get(photo)?.update();
  }

  // The element of a photo in the shown view.
  elementOf(photo) {
    return this.#items.get(photo).element;
  }

  // A single photo is a card: it has no control of views.
  #best() {
    const count = this.#album.photos.length;
    if (count < 2) return "cards";
    return this.#chosen ?? (count > MOST_CARDS ? "table" : "cards");
  }

  // Replaces the items of all photos. The focus stays at its photo.
  #switch(view) {
    const focused = [...this.#items].find(([, item]) => item.element.contains(document.activeElement))?.[0];
    this.#empty();
    this.view = view;
    for (const [name, { whole }] of Object.entries(views)) whole.hidden = name !== view;
    this.#append(this.#album.photos);
    if (focused && this.#items.has(focused)) this.elementOf(focused).focus();
  }

  #empty() {
    views[this.view].list.replaceChildren();
    this.#items.clear();
  }

  #append(photos) {
    const { Item, list } = views[this.view];
    const items = photos.map((photo) => new Item(photo, () => this.#album.retry(photo)));
    items.forEach((item, at) => this.#items.set(photos[at], item));
    list.append(...items.map((item) => item.element));
  }
}
