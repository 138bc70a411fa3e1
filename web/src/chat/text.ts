// A text that is written piece by piece. Offsets count code points, as the server does; a string here counts UTF-16 units.

export interface Text {
  readonly text: string;
  /** Its length in code points. */
  readonly points: number;
}

export const EMPTY: Text = { text: "", points: 0 };

export const textOf = (text: string): Text => ({ text, points: pointsIn(text) });

/**
 * From `offset` on the text is `piece`, and there is no more of it. Null when what stands before `offset` is not known: it has to
 * be read.
 */
export function put(before: Text, offset: number, piece: string): Text | null {
  if (offset > before.points) return null;
  const kept = offset === before.points ? before.text : before.text.slice(0, unitsOf(before, offset));
  return { text: kept + piece, points: offset + pointsIn(piece) };
}

function unitsOf({ text, points }: Text, offset: number): number {
  if (points === text.length) return offset;
  let units = 0;
  for (let left = offset; left > 0; left -= 1) units += isPair(text, units) ? 2 : 1;
  return units;
}

function pointsIn(text: string): number {
  let points = 0;
  for (let at = 0; at < text.length; at += isPair(text, at) ? 2 : 1) points += 1;
  return points;
}

function isPair(text: string, at: number): boolean {
  const high = text.charCodeAt(at);
  if (high < 0xd800 || high > 0xdbff) return false;
  const low = text.charCodeAt(at + 1);
  return low >= 0xdc00 && low <= 0xdfff;
}
