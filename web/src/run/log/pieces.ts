// Where a piece of a log belongs. Offsets count characters as the server does: code points, not the units of a string here.

/** How many characters the server counts in a text. */
export function characters(text: string): number {
  if (!/[\ud800-\udbff]/.test(text)) return text.length;
  let pairs = 0;
  for (let at = 0; at < text.length - 1; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit >= 0xd800 && unit <= 0xdbff) {
      const next = text.charCodeAt(at + 1);
      if (next >= 0xdc00 && next <= 0xdfff) { pairs += 1; at += 1; }
    }
  }
  return text.length - pairs;
}

/** A text without its first characters. */
export function skipCharacters(text: string, count: number): string {
  if (!/[\ud800-\udbff]/.test(text)) return text.slice(count);
  return [...text].slice(count).join("");
}

export interface Piece {
  offset: number;
  text: string;
  level: string;
  at: number | null;
  received: boolean;
}

export type Placed = { kind: "known" } | { kind: "gap" } | { kind: "next"; text: string; end: number };

/**
 * What to do with a piece when everything before `end` is there. `span`: how many characters of the log it stands for,
 * where that is known; what was taken out of it may make its text shorter.
 */
export function place(end: number, piece: Pick<Piece, "offset" | "text">, span = characters(piece.text)): Placed {
  const until = piece.offset + span;
  if (piece.offset > end) return { kind: "gap" };
  if (until <= end) return { kind: "known" };
  return { kind: "next", text: skipCharacters(piece.text, end - piece.offset), end: until };
}

/** Pieces that came too early, in order of their offsets, each once; the largest are dropped beyond a bound: they can be read. */
export class Early {
  private pieces: Piece[] = [];

  get empty(): boolean {
    return this.pieces.length === 0;
  }

  /** The first place that is known behind the gap. */
  get first(): number | null {
    return this.pieces[0]?.offset ?? null;
  }

  keep(piece: Piece): void {
    let at = this.pieces.length;
    while (at > 0 && this.pieces[at - 1]!.offset > piece.offset) at -= 1;
    if (this.pieces[at - 1]?.offset === piece.offset) return;
    this.pieces.splice(at, 0, piece);
    if (this.pieces.length > 5000) this.pieces.pop();
  }

  /** Take the first piece when nothing is missing before it. */
  take(end: number): Piece | null {
    const first = this.pieces[0];
    if (!first || first.offset > end) return null;
    this.pieces.shift();
    return first;
  }
}
