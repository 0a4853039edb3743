// Changes of elements that cards and rows have in common.

import { text } from "./texts.js";

// Shows what happens to the photo while it has no caption. `item` is its card or row.
export function showState(item, photo) {
  const { state, problem, isCaptioned, isFailed, canRetry } = photo;
  const element = item.querySelector(".state");
  element.textContent = { waiting: text("waiting"), working: text("working"), failed: problem }[state] ?? "";
  element.hidden = isCaptioned;
  element.classList.toggle("problem", isFailed);
  item.ariaBusy = String(state === "working");
  setHidden(item.querySelector(".again"), !(isFailed && canRetry), item);
}

// Captions of the program are in English; the language of an edited one is not known.
export function setLanguage(element, photo) {
  if (photo.isEdited) element.removeAttribute("lang");
  else element.lang = "en";
}

// Hides an element, or shows it. The focus moves from a hidden element to `next`.
export function setHidden(element, isHidden, next) {
  const hadFocus = isHidden && element.contains(document.activeElement);
  element.hidden = isHidden;
  if (hadFocus) next.focus();
}
