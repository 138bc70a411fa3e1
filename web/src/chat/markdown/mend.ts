// Half-written Markdown as it will most likely be once it is whole, so that nothing flips back and forth while it is written.

/** A line that may yet become anything: the beginning of a list, a heading, a fence, an underline. */
const UNDECIDED = /^[ \t]*(?:[-*+_=]+|#{1,6}|\d{1,3}[.)]?|`{1,2}|~{1,2}|>+|\|)[ \t]*$/;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;
/** Where emphasis ends at the latest: a new paragraph, item, heading or quote. */
const BEGINS = /^[ \t]*(?:$|[-*+][ \t]|\d{1,9}[.)][ \t]|#{1,6}[ \t]|>)/;
const DEEPEST = 10;
const DELIMITER_ROW = /^[ \t]*\|?[ \t:|-]*$/;

/** The end of a text that is being written, mended. For the last block or more. */
export function mended(text: string): string {
  const lines = text.split("\n");
  const last = lines.length - 1;
  if (inFence(lines)) return /^ {0,3}[`~]+$/.test(lines[last]!) ? lines.slice(0, last).join("\n") : text;
  if (UNDECIDED.test(lines[last]!) && !isDelimiterOfTable(lines)) lines.pop();
  let begin = lines.length - 1;
  while (begin > 0 && !BEGINS.test(lines[begin]!)) begin -= 1;
  if (begin < 0) return "";
  if (lines[begin]!.trim() === "" && begin < lines.length - 1) begin += 1;
  const table = tableOf(lines.slice(begin));
  if (table !== null) return [...lines.slice(0, begin), table].join("\n");
  return [...lines.slice(0, begin), inline(lines.slice(begin).join("\n"))].join("\n");
}

function inFence(lines: readonly string[]): boolean {
  let open: string | null = null;
  for (const line of lines) {
    const fence = FENCE.exec(line)?.[1];
    if (fence === undefined) continue;
    if (open === null) open = fence;
    else if (fence[0] === open[0] && fence.length >= open.length && line.trim() === fence) open = null;
  }
  return open !== null;
}

const isDelimiterOfTable = (lines: readonly string[]): boolean =>
  lines.length > 1 && lines[lines.length - 2]!.trimStart().startsWith("|") && DELIMITER_ROW.test(lines[lines.length - 1]!);

/** A head of a table, of which the row below is not whole yet, with that row. Null: no such thing. */
function tableOf(lines: readonly string[]): string | null {
  const [head, row] = lines;
  if (lines.length > 2 || !head!.trimStart().startsWith("|") || head!.trim().length < 2) return null;
  if (row !== undefined && !DELIMITER_ROW.test(row)) return null;
  const closed = head!.trimEnd().endsWith("|") ? head!.trimEnd() : `${inline(head!.trimEnd())} |`;
  const columns = closed.split(/(?<!\\)\|/).length - 2;
  if (columns < 1) return null;
  return `${closed}\n|${" --- |".repeat(columns)}`;
}

interface Open {
  marker: string;
}

/** Emphasis and code closed, a link that is not whole as its words, an image that is not whole not at all. */
function inline(text: string): string {
  const open: Open[] = [];
  let code: string | null = null;
  let link: { from: number; words: number; end: number | null; isImage: boolean } | null = null;
  let at = 0;
  let dropped = text.length;
  while (at < text.length) {
    const char = text[at]!;
    if (char === "`") {
      const run = runOf(text, at);
      if (code === null) code = run;
      else if (run === code) code = null;
      if (at + run.length === text.length && code === run) {
        // It has only begun.
        dropped = at;
        code = null;
      }
      at += run.length;
    } else if (code !== null) {
      at += 1;
    } else if (char === "\\") {
      at += 2;
    } else if (char === "[" && link?.end == null) {
      const isImage = text[at - 1] === "!";
      link = { from: isImage ? at - 1 : at, words: at + 1, end: null, isImage };
      at += 1;
    } else if (char === "]" && link !== null && link.end === null) {
      const next = text[at + 1];
      // What follows decides: `[1]` of a text is no link.
      if (next === "(" || next === undefined) link.end = at;
      else link = null;
      at += next === "(" ? 2 : 1;
    } else if (char === ")" && link !== null && link.end !== null) {
      link = null;
      at += 1;
    } else if ((char === "*" || char === "_" || char === "~") && link?.end == null) {
      const run = runOf(text, at);
      const before = text[at - 1] ?? " ";
      const after = text[at + run.length];
      dropped = delimit(open, run, before, after) && after === undefined ? at : text.length;
      at += run.length;
    } else {
      at += 1;
    }
  }
  let whole = text.slice(0, dropped);
  if (link !== null) {
    if (link.isImage) whole = whole.slice(0, link.from);
    else if (link.end !== null) whole = whole.slice(0, link.from) + whole.slice(link.words, link.end);
    else whole = whole.slice(0, link.from) + whole.slice(link.words);
  }
  // So deep nobody writes; closing it all would cost the more the longer it is.
  if (open.length > DEEPEST) return whole;
  const closers = (code ?? "") + open.reverse().map((one) => one.marker).join("");
  if (closers === "") return whole;
  const kept = whole.trimEnd();
  return kept + closers;
}

function runOf(text: string, at: number): string {
  let end = at + 1;
  while (text[end] === text[at]) end += 1;
  return text.slice(at, end);
}

/** Take a run of markers in: it closes what is open, or opens. Whether it opened, or may yet. */
function delimit(open: Open[], run: string, before: string, after: string | undefined): boolean {
  const char = run[0]!;
  let left = run.length;
  const word = /[\p{L}\p{N}]/u;
  const closes = !/\s/.test(before) && (char !== "_" || after === undefined || !word.test(after));
  const opens = (after === undefined || !/\s/.test(after)) && (char !== "_" || !word.test(before));
  let closed = false;
  while (closes && left > 0) {
    const top = open[open.length - 1];
    if (top === undefined || top.marker[0] !== char || top.marker.length > left) break;
    left -= top.marker.length;
    open.pop();
    closed = true;
  }
  if (left === 0 || !opens) return !closed && after === undefined;
  if (char === "~" && left !== 2) return after === undefined;
  if (after === undefined) return true;
  if (left % 2 === 1) open.push({ marker: char });
  if (left >= 2) open.push({ marker: char + char });
  return true;
}
