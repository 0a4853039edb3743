// A caption as words. A word that is hovered, tapped, or reached with the arrow keys shows its attention. Screen readers
// read the words as one sentence.

// The texts of a sentence's words, with a capital letter and a full stop.
function wordsOfSentence(words) {
  const texts = words.map((word) => word.text);
  if (texts.length === 0) return [];
  texts[0] = texts[0].charAt(0).toLocaleUpperCase() + texts[0].slice(1);
  texts[texts.length - 1] += ".";
  return texts;
}

function makeSpan(text) {
  return Object.assign(document.createElement("span"), { className: "word", textContent: text });
}

// Makes an element with the words. `show` is called with the selected word, or undefined.
export function makeWords(words, show) {
  const spans = wordsOfSentence(words).map(makeSpan);
  const element = Object.assign(document.createElement("span"), { className: "words", tabIndex: 0 });
  element.append(...spans.flatMap((span, at) => (at === 0 ? [span] : [" ", span])));
  const select = (at) => {
    spans.forEach((span, other) => span.toggleAttribute("data-selected", other === at));
    show(words[at]);
  };
  listen(element, spans, select);
  return element;
}

function listen(element, spans, select) {
  const last = spans.length - 1;
  // The word that the keyboard has reached.
  let current = 0;
  element.addEventListener("focus", () => select(current));
  element.addEventListener("blur", () => select(-1));
  element.addEventListener("pointerover", (event) => {
    const at = spans.indexOf(event.target);
    if (at >= 0) select(at);
  });
  element.addEventListener("pointerdown", (event) => (current = Math.max(0, spans.indexOf(event.target))));
  element.addEventListener("pointerleave", () => select(element === document.activeElement ? current : -1));
  element.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: current + 1, ArrowDown: current + 1, ArrowLeft: current - 1, ArrowUp: current - 1 };
    const next = { ...steps, Home: 0, End: last }[event.key];
    if (event.key === "Escape") element.blur();
    if (next === undefined) return;
    event.preventDefault();
    current = Math.min(last, Math.max(0, next));
    select(current);
  });
}
