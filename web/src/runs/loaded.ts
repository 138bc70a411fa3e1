// The part of the list that was read so far, newest first, and how pages that are read again go into it.
import type { RunShown } from "../api/types";

export interface Loaded {
  runs: readonly RunShown[];
  /** Where what is older begins; null: there is nothing older. */
  next: number | null;
}

export interface Page {
  /** The page begins below this place; null: at the newest run. */
  before: number | null;
  runs: readonly RunShown[];
  /** The last place that the page has looked at; null: it went to the end. */
  next: number | null;
}

/**
 * Put a page where it belongs. It says all there is between its two ends: runs that are known there and not in it are gone, or do
 * not fit the filters any more. A newest page that does not reach down to what was known (many runs began at once) starts the list anew:
 * what lies between is not known.
 */
export function withPage(known: Loaded | null, page: Page): Loaded {
  if (known === null) return { runs: page.runs, next: page.next };
  const top = known.runs[0]?.cursor ?? known.next;
  if (page.before === null && page.next !== null && top !== null && page.next > top) return { runs: page.runs, next: page.next };
  // A page that was asked for before the list began anew says nothing about what it shows now.
  if (page.before !== null && known.next !== null && page.before < known.next) return known;
  const old = new Map(known.runs.map((run) => [run.workflow_id, run]));
  const above = page.before === null ? [] : known.runs.filter((run) => run.cursor >= page.before!);
  const below = page.next === null ? [] : known.runs.filter((run) => run.cursor < page.next!);
  const runs = [...above, ...page.runs.map((run) => sameOrNew(old.get(run.workflow_id), run)), ...below];
  const next = page.next === null || known.next === null ? null : Math.min(page.next, known.next);
  return { runs, next };
}

/** The old object where nothing has changed, so that its row is not drawn again. */
function sameOrNew(old: RunShown | undefined, run: RunShown): RunShown {
  return old !== undefined && JSON.stringify(old) === JSON.stringify(run) ? old : run;
}

export interface ShownRun {
  run: RunShown;
  /** It left the list while the rows were held: it does not fit the filters any more. */
  gone: boolean;
}

/**
 * What is on the screen while rows are held in place: the same rows in the same order, each as it is now; what is older follows.
 * `waiting` counts the runs that will come in between them once they are let go.
 */
export function held(known: Loaded, kept: readonly ShownRun[]): { shown: readonly ShownRun[]; waiting: number } {
  const now = new Map(known.runs.map((run) => [run.workflow_id, run]));
  const last = kept.at(-1)?.run.cursor ?? Infinity;
  const rows = kept.map((row) => {
    const run = now.get(row.run.workflow_id);
    // Below the part that is known nothing can be said about it.
    if (run === undefined) return row.gone || row.run.cursor < (known.next ?? 0) ? row : { run: row.run, gone: true };
    return run === row.run && !row.gone ? row : { run, gone: false };
  });
  const older = known.runs.filter((run) => run.cursor < last).map((run) => ({ run, gone: false }));
  const onScreen = new Set(kept.map((row) => row.run.workflow_id));
  const waiting = known.runs.filter((run) => run.cursor > last && !onScreen.has(run.workflow_id)).length;
  return { shown: [...rows, ...older], waiting };
}

/** Everything as it is now; rows that did not change stay the same objects. */
export function free(runs: readonly RunShown[], before: readonly ShownRun[]): readonly ShownRun[] {
  const old = new Map(before.map((row) => [row.run, row]));
  return runs.map((run) => {
    const row = old.get(run);
    return row && !row.gone ? row : { run, gone: false };
  });
}
