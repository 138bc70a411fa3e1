// Where one was in the list, kept with the entry of the browser's history: back and reload lead there again.
import type { Filters } from "./filters";
import type { Loaded } from "./loaded";
import { sameFilters } from "./run-list";

export interface Place {
  /** How far the window was scrolled. */
  top: number;
  /** How many runs had been loaded. */
  count: number;
}

/** The place of this entry; null when one comes to the list anew. */
export function placeHere(): Place | null {
  const kept = (history.state as { runs?: Place } | null)?.runs;
  return kept && kept.top > 0 ? kept : null;
}

export function keepPlace(place: Place): void {
  history.replaceState({ ...(history.state as object | null), runs: place }, "");
}

let left: { filters: Filters; loaded: Loaded } | null = null;
const AT_ONCE = 50;

/** What was known when the list was left, so that it is there at once; all of it only for one who comes back to a place in it. */
export function knownBefore(filters: Filters, back: boolean): Loaded | null {
  if (left === null || !sameFilters(left.filters, filters)) return null;
  const { runs, next } = left.loaded;
  if (back || runs.length <= AT_ONCE) return { runs, next };
  return { runs: runs.slice(0, AT_ONCE), next: runs[AT_ONCE - 1]!.cursor };
}

export function leave(filters: Filters, loaded: Loaded | null): void {
  left = loaded === null ? null : { filters, loaded };
}
