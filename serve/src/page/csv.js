// Captions as CSV (RFC 4180), with the columns of `caption --format csv`: a row per caption, and a row per photo that failed.

import { listTags } from "./downloads.js";

const HEAD = ["file", "rank", "caption", "sentence", "confidence", "tags", "error"];
const END = "\r\n";

// Spreadsheets would compute a cell that begins like a formula.
const guard = (cell) => (/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell);
const quote = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
const row = (cells) => cells.map((cell) => quote(guard(String(cell)))).join(",") + END;

function rowsOf(photo) {
  const { name, problem, answer, edited, confidence, isFailed } = photo;
  if (isFailed) return row([name, "", "", "", "", "", problem]);
  const tags = listTags(answer.tags);
  const ofBest = confidence === undefined ? "" : confidence.toFixed(3);
  const rows = photo.candidates.map(({ text, sentence }, at) => {
    const words = at === 0 && edited !== undefined ? [edited, edited] : [text, sentence];
    return row([name, at + 1, ...words, at === 0 ? ofBest : "", tags, ""]);
  });
  return rows.join("");
}

export const asCsv = (photos) => row(HEAD) + photos.map(rowsOf).join("");
