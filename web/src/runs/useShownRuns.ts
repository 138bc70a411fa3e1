import { useReducer, useRef } from "preact/hooks";

import { free, held, type Loaded, type ShownRun } from "./loaded";

export interface ShownRuns {
  rows: readonly ShownRun[];
  /** Runs that wait for the rows to be let go. */
  waiting: number;
  /** Rows that left the list and are still on the screen. */
  gone: number;
  /** Ids of rows that came in at the top with the last change. */
  fresh: ReadonlySet<string>;
  /** Show everything as it is now. */
  release: () => void;
}

const NONE: ReadonlySet<string> = new Set();

/** The rows on the screen. While `hold` is true none moves; `list` names the list: another one begins anew. */
export function useShownRuns(known: Loaded | null, hold: boolean, list: unknown): ShownRuns {
  const [, draw] = useReducer((count: number, _: null) => count + 1, 0);
  const last = useRef<{ list: unknown; known: Loaded | null; rows: readonly ShownRun[]; fresh: ReadonlySet<string> }>({ list, known: null, rows: [], fresh: NONE });
  const letGo = useRef(false);
  const before = last.current.list === list ? last.current.rows : [];
  let waiting = 0;
  let rows = before;
  let fresh = last.current.fresh;
  if (known !== null && hold && !letGo.current && before.length > 0) {
    ({ shown: rows, waiting } = held(known, before));
  } else if (known !== null) {
    rows = free(known.runs, before);
    const top = before[0]?.run.cursor;
    if (known !== last.current.known) fresh = top === undefined ? NONE : new Set(rows.filter((row) => row.run.cursor > top).map((row) => row.run.workflow_id));
  } else {
    rows = [];
  }
  letGo.current = false;
  last.current = { list, known, rows, fresh };
  const gone = hold ? rows.reduce((count, row) => count + (row.gone ? 1 : 0), 0) : 0;
  return { rows, waiting, gone, fresh, release: () => { letGo.current = true; draw(null); } };
}
