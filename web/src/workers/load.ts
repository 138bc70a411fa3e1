// How much was ready and in progress while this page was open; kept while one looks at other pages.
import { signal } from "@preact/signals";

import type { Overview } from "./answer";

export interface Load {
  /** Seconds since 1970. */
  at: number[];
  ready: (number | null)[];
  working: (number | null)[];
}

const MOST = 1800;
/** After so long without an answer nothing is known of the time between: the lines are broken, not drawn across. */
const GAP_S = 30;

export const load = signal<Load>({ at: [], ready: [], working: [] });

export function keepLoad(overview: Pick<Overview, "queues">, atMs: number): void {
  load.value = added(load.peek(), atMs / 1000, sum(overview, "ready"), sum(overview, "in_progress"));
}

const sum = (overview: Pick<Overview, "queues">, what: "ready" | "in_progress"): number => overview.queues.reduce((all, queue) => all + queue[what], 0);

/** The same with one more point; the oldest are dropped. */
export function added(before: Load, at: number, ready: number, working: number): Load {
  const last = before.at[before.at.length - 1];
  const gap = last !== undefined && at - last > GAP_S;
  const cut = <T,>(all: T[]): T[] => all.slice(-MOST);
  return {
    at: cut([...before.at, ...(gap ? [last! + 1] : []), at]),
    ready: cut([...before.ready, ...(gap ? [null] : []), ready]),
    working: cut([...before.working, ...(gap ? [null] : []), working]),
  };
}
