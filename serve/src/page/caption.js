// A caption as a row of words. A word that is hovered, tapped, or reached with the arrow keys shows its attention.

// The texts of a sentence's words, with a capital letter and a full stop.
export function sentence(words) {
  const texts = words.map((word) => word.text);
  if (texts.length === 0) return [];
  texts[0] = texts[0].charAt(0).toLocaleUpperCase() + texts[0].slice(1);
  texts[texts.length - 1] += ".";
  return texts;
}

// Fills `element` with the words. `show` is called with the selected word, or undefined.
export function fill(element, words, label, show) {
  const buttons = sentence(words).map((text, at) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "word", textContent: text });
    button.tabIndex = at === 0 ? 0 : -1;
    return button;
  });
  element.replaceChildren(...buttons.flatMap((button) => [button, " "]));
  element.role = "group";
  element.ariaLabel = label;
  const select = (at) => {
    buttons.forEach((button, other) => button.toggleAttribute("data-selected", other === at));
    show(words[at]);
  };
  const focused = () => buttons.indexOf(document.activeElement);
  element.addEventListener("pointerover", (event) => {
    const at = buttons.indexOf(event.target);
    if (at >= 0) select(at);
  });
  element.addEventListener("pointerleave", () => select(focused()));
  element.addEventListener("focusin", () => select(focused()));
  element.addEventListener("focusout", () => select(-1));
  element.addEventListener("keydown", (event) => {
    const at = focused();
    const last = buttons.length - 1;
    const next = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: last }[event.key];
    if (event.key === "Escape") document.activeElement.blur();
    if (next === undefined) return;
    event.preventDefault();
    const button = buttons[Math.min(last, Math.max(0, next))];
    buttons.forEach((other) => (other.tabIndex = other === button ? 0 : -1));
    button.focus();
  });
}
