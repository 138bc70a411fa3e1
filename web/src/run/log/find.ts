// Finding text in a log, a slice of lines at a time, so that 40,000 lines never hold up the page.

export interface Match {
  line: number;
  from: number;
  to: number;
}

export const MAX_MATCHES = 10_000;

/** A pattern for plain text, whatever its case. */
export function pattern(needle: string): RegExp {
  return new RegExp(needle.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "giu");
}

export function matchesIn(text: string, wanted: RegExp, line: number, room = MAX_MATCHES): Match[] {
  const found: Match[] = [];
  wanted.lastIndex = 0;
  for (let hit = wanted.exec(text); hit && found.length < room; hit = wanted.exec(text)) {
    if (hit[0] === "") break;
    found.push({ line, from: hit.index, to: hit.index + hit[0].length });
  }
  return found;
}

/** The matches of one needle. Lines that ended are looked through once; the line in hand again each time. */
export class Finder {
  readonly matches: Match[] = [];
  private readonly wanted: RegExp;
  private scanned = 0;
  private settled = 0;

  constructor(readonly needle: string) {
    this.wanted = pattern(needle);
  }

  /** More were found than are kept. */
  get full(): boolean {
    return this.settled >= MAX_MATCHES;
  }

  /** Look through some more lines; true when there is more to look through. */
  advance(ended: readonly { text: string }[], open: { text: string } | null, budget = 4000): boolean {
    this.matches.length = this.settled;
    const until = Math.min(ended.length, this.scanned + budget);
    for (; this.scanned < until && !this.full; this.scanned += 1) {
      this.matches.push(...matchesIn(ended[this.scanned]!.text, this.wanted, this.scanned, MAX_MATCHES - this.matches.length));
      this.settled = this.matches.length;
    }
    if (this.full) return false;
    if (this.scanned < ended.length) return true;
    if (open) this.matches.push(...matchesIn(open.text, this.wanted, ended.length, MAX_MATCHES - this.matches.length));
    return false;
  }
}

/** The first match at or behind a line, else the first of all; -1 when there is none. */
export function firstFrom(matches: readonly Match[], line: number): number {
  if (matches.length === 0) return -1;
  const at = lowerBound(matches, line);
  return at < matches.length ? at : 0;
}

/** The matches within one line. */
export function inLine(matches: readonly Match[], line: number): { first: number; matches: readonly Match[] } {
  const first = lowerBound(matches, line);
  let end = first;
  while (end < matches.length && matches[end]!.line === line) end += 1;
  return { first, matches: matches.slice(first, end) };
}

function lowerBound(matches: readonly Match[], line: number): number {
  let low = 0;
  let high = matches.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (matches[middle]!.line < line) low = middle + 1;
    else high = middle;
  }
  return low;
}
