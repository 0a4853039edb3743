// The texts that modules show. The server writes them into the page, in its language.

function read(id, key) {
  const elements = [...document.querySelector(id).content.children];
  return Object.fromEntries(elements.map((element) => [element.dataset[key], element.textContent]));
}

const texts = read("#texts", "key");
const errors = read("#errors", "code");

// The text of a key, with values in place of their names in braces.
export function text(key, values = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (name, value) => values[value] ?? name);
}

// The text of an error's code, if this page has one.
export const errorText = (code) => errors[code];

const percent = (options) => new Intl.NumberFormat(document.documentElement.lang, { style: "percent", ...options });
export const probability = percent({ maximumSignificantDigits: 2 });
export const wholePercent = percent({ maximumFractionDigits: 0 });
export const share = percent({ minimumFractionDigits: 1, maximumFractionDigits: 1 });

// Screen readers read this aloud, in the language of the message. It is used sparingly.
export function announce(message, lang = document.documentElement.lang) {
  Object.assign(document.querySelector("#announcement"), { lang, textContent: message });
}
