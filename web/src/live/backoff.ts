const FIRST_MS = 1000;
const LONGEST_MS = 15_000;

/**
 * How long to wait after so many failures in a row: 1 s, 2 s, 4 s ... 15 s, spread by a quarter so that the pages which a restart
 * cut off do not all come back in the same moment.
 */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const base = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, failures - 1));
  return Math.min(LONGEST_MS, Math.round(base * (0.875 + random() / 4)));
}
