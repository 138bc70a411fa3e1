// Finding by a few letters: all of them must occur, in order; whole words and beginnings of words count most.

export interface Found {
  score: number;
  /** Where the letters are, to show them. */
  at: number[];
}

const NONE: Found = { score: 0, at: [] };

/** How well the letters fit, null when they do not. Words apart by spaces are looked for each for itself, in any order. */
export function fuzzy(wanted: string, text: string): Found | null {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return NONE;
  const at = new Set<number>();
  let score = 0;
  for (const word of words) {
    const found = fit(word, text);
    if (found === null) return null;
    score += found.score;
    for (const place of found.at) at.add(place);
  }
  // Of two that fit alike the shorter one is meant.
  return { score: score - text.length / 200, at: [...at].sort((a, b) => a - b) };
}

function fit(word: string, text: string): Found | null {
  const lower = text.toLowerCase();
  const whole = lower.indexOf(word);
  if (whole !== -1) {
    const begins = wordBegins(text, whole);
    // The same letters may stand at the beginning of a later word.
    const better = begins ? whole : findBegin(lower, text, word, whole);
    const place = better ?? whole;
    const score = word.length * 4 + (better !== null ? 8 : 0) + (place === 0 ? 4 : 0);
    return { score, at: Array.from({ length: word.length }, (_, index) => place + index) };
  }
  // Letters here and there are meant as such only from the beginning of a word on: `gtr` is "go to runs".
  const first = findBegin(lower, text, word[0]!, 0);
  if (first === null) return null;
  const at: number[] = [];
  let score = 0;
  let from = first;
  for (const letter of word) {
    let place = lower.indexOf(letter, from);
    if (place === -1) return null;
    // The beginning of a word is preferred to a letter in its middle, if the rest still fits behind it.
    if (place !== from) {
      const begin = findBegin(lower, text, letter, place);
      if (begin !== null && subsequence(word.slice(at.length + 1), lower, begin + 1)) place = begin;
    }
    score += wordBegins(text, place) ? 3 : place === at[at.length - 1]! + 1 ? 2 : 0.5;
    at.push(place);
    from = place + 1;
  }
  return { score, at };
}

const wordBegins = (text: string, at: number): boolean =>
  at === 0 || /[^\p{L}\p{N}]/u.test(text[at - 1]!) || (/\p{Lu}/u.test(text[at]!) && /\p{Ll}/u.test(text[at - 1]!));

function findBegin(lower: string, text: string, word: string, from: number): number | null {
  for (let at = lower.indexOf(word, from); at !== -1; at = lower.indexOf(word, at + 1)) if (wordBegins(text, at)) return at;
  return null;
}

function subsequence(letters: string, lower: string, from: number): boolean {
  let at = from;
  for (const letter of letters) {
    at = lower.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}
