// A line cut into parts that each have one look: its own, and whether it was found.
import type { Line } from "./lines";
import type { Match } from "./find";
import { PLAIN, type Style } from "./styles";

export interface Segment {
  text: string;
  style: Style;
  /** The place of the match in the list of all, -1: none. */
  match: number;
}

/** The parts of a line. `first` is the place of the first of its matches in the list of all. */
export function segments(line: Pick<Line, "text" | "spans">, matches: readonly Match[], first: number): Segment[] {
  const { text, spans } = line;
  if (spans === null && matches.length === 0) return text === "" ? [] : [{ text, style: PLAIN, match: -1 }];
  const edges = new Set([0, text.length]);
  for (const { from, to } of spans ?? []) { edges.add(from); edges.add(to); }
  for (const { from, to } of matches) { edges.add(from); edges.add(to); }
  const places = [...edges].filter((place) => place <= text.length).sort((one, other) => one - other);
  const parts: Segment[] = [];
  let span = 0;
  let match = 0;
  for (let at = 0; at + 1 < places.length; at += 1) {
    const from = places[at]!;
    const to = places[at + 1]!;
    while (spans && span < spans.length && spans[span]!.to <= from) span += 1;
    while (match < matches.length && matches[match]!.to <= from) match += 1;
    const inSpan = spans?.[span];
    const inMatch = matches[match];
    parts.push({
      text: text.slice(from, to),
      style: inSpan && inSpan.from <= from ? inSpan.style : PLAIN,
      match: inMatch && inMatch.from <= from ? first + match : -1,
    });
  }
  return parts;
}

export interface LineRange {
  from: number;
  to: number;
}

/** `12` or `12-20`, counted from 1; null for anything else. */
export function parseRange(text: string | null): LineRange | null {
  const found = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(text ?? "");
  if (!found) return null;
  const one = Number(found[1]);
  const other = found[2] === undefined ? one : Number(found[2]);
  return one < 1 || other < 1 ? null : { from: Math.min(one, other), to: Math.max(one, other) };
}

export const rangeText = ({ from, to }: LineRange): string => (from === to ? String(from) : `${from}-${to}`);
