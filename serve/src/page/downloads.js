// What leaves the page: files, and text in the clipboard.

// Time in which the browser begins to write a file, in ms.
const BEGUN = 60_000;

// Saves content as a file.
export function save(name, type, content) {
  const href = URL.createObjectURL(new Blob([content], { type }));
  Object.assign(document.createElement("a"), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), BEGUN);
}

export function copy(text) {
  return navigator.clipboard.writeText(text);
}

// The name of a file without its extension.
export const stem = (name) => name.replace(/(?<=.)\.[^.]*$/, "");

// The probable classes in a line, as the program `caption` writes them: "espresso 62%, cup 20%".
export function listTags(tags = []) {
  return tags.map((tag) => `${tag.name} ${Math.round(100 * tag.probability)}%`).join(", ");
}
