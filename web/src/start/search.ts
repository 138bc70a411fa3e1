import type { Action } from "../api/types";

/** The actions that hold every word: in the name first, then in what they do. */
export function found(actions: readonly Action[], text: string): Action[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const scored = actions.flatMap((action) => {
    const name = action.name.toLowerCase();
    const short = name.slice(name.lastIndexOf(".") + 1);
    const score = words.reduce((sum, word) => {
      if (short.startsWith(word) || name.startsWith(word)) return sum + 3;
      if (name.includes(word)) return sum + 2;
      return action.summary.toLowerCase().includes(word) ? sum + 1 : -Infinity;
    }, 0);
    return score === -Infinity ? [] : [{ action, score }];
  });
  return scored.sort((a, b) => b.score - a.score || a.action.name.localeCompare(b.action.name)).map((one) => one.action);
}
