/** Of more steps than this a page draws only those in view. */
export const MANY_STEPS = 100;

const SHOWN = 20;

/** The first few keys that hold a text, those that begin with it first; without those that are chosen. */
export function keysLike(keys: readonly string[], text: string, chosen: readonly string[]): string[] {
  const wanted = text.toLowerCase();
  const left = keys.filter((key) => key.toLowerCase().includes(wanted) && !chosen.includes(key));
  const begins = (key: string) => key.toLowerCase().startsWith(wanted);
  return [...left.filter(begins), ...left.filter((key) => !begins(key))].slice(0, SHOWN);
}
