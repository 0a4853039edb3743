// Captions as one page that needs no other file, like that of `caption --format html`.

import { listTags } from "./downloads.js";
import { text, wholePercent } from "./texts.js";
import { dataUrl } from "./thumbnail.js";

const STYLE = `
:root { color-scheme: light dark; --paper: #faf8f4; --card: #fff; --ink: #23201c; --soft: #625a50; --line: #dcd5c9; --warn: #8f2b16 }
@media (prefers-color-scheme: dark) {
  :root { --paper: #191714; --card: #23201c; --ink: #f2ede4; --soft: #b9b0a1; --line: #403a33; --warn: #ffab94 }
}
body { margin: 0 auto; padding: 2rem 1.25rem; max-width: 72rem; background: var(--paper); color: var(--ink); font: 1.0625rem/1.5 system-ui, sans-serif }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); gap: 1.25rem }
article { padding: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; overflow-wrap: anywhere }
img { display: block; margin: 0 auto 0.75rem; max-width: 100%; height: auto }
h2 { margin: 0; font-size: 1rem }
p, ul { margin: 0.25rem 0 0 }
.soft { color: var(--soft); font-size: 0.9375rem }
.warn { color: var(--warn) }
`;

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (words) => words.replace(/[&<>"']/g, (character) => ENTITIES[character]);

const paragraph = (className, words) => (words ? `<p class="${className}">${escape(words)}</p>\n` : "");

const page = (articles) => `<!doctype html>
<html lang="${document.documentElement.lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="Showtell">
<title>${escape(text("captions"))}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escape(text("captions"))}</h1>
<main>
${articles.join("")}</main>
</body>
</html>
`;

async function article({ name, problem, caption, answer, confidence, isEdited, isUnsure, isFailed, thumbnail }) {
  const picture = thumbnail ? `<img src="${await dataUrl(thumbnail)}" alt="${escape(caption ?? name)}" loading="lazy">\n` : "";
  if (isFailed) return `<article>\n${picture}${paragraph("warn", problem)}${paragraph("soft", name)}</article>\n`;
  const sentences = answer.captions.map(({ sentence }) => sentence).filter((sentence) => sentence !== caption);
  const others = sentences.map((sentence) => `<li>${escape(sentence)}</li>\n`).join("");
  const warnings = [isUnsure && text("doubt"), answer.unfamiliar && text("unfamiliar")];
  const percent = confidence === undefined ? "" : `${text("column_confidence")}: ${wholePercent.format(confidence)}`;
  const list = others && `<ul class="soft" lang="en">\n${others}</ul>\n`;
  const tags = answer.tags?.length ? `${text("tags")} ${listTags(answer.tags)}` : "";
  const notes = [percent, tags, name];
  return `<article>
${picture}<h2${isEdited ? "" : ' lang="en"'}>${escape(caption)}</h2>
${warnings.map((words) => paragraph("warn", words)).join("")}${list}${notes.map((words) => paragraph("soft", words)).join("")}</article>
`;
}

export const asWebPage = async (photos) => page(await Promise.all(photos.map(article)));
