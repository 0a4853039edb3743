// Text areas in which captions are edited. Edits are kept as they are typed.

import { setLanguage } from "./elements.js";

export function connectEditor(area, photo) {
  // A caption is one line.
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    area.value = photo.caption;
  });
  area.addEventListener("input", () => photo.edit(area.value));
  // Line breaks become spaces, and an empty text the best caption.
  area.addEventListener("change", () => (area.value = photo.caption));
}

// Shows the caption, unless the user types another one.
export function updateEditor(area, photo) {
  if (area !== document.activeElement) area.value = photo.caption;
  setLanguage(area, photo);
}
