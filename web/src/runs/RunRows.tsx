import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";

import { rowHeight } from "./row-height";
import { RunRow } from "./RunRow";
import type { Selection } from "./selection";
import type { ShownRun } from "./loaded";
import { useRowsInView, type InView } from "./useRowsInView";
import "./run-rows.css";

const COLUMNS = ["Run", "Target", "Progress", "Now", "Age", "Took", "By"];

export interface RunRowsProps {
  rows: readonly ShownRun[];
  fresh: ReadonlySet<string>;
  selection: Selection;
  /** How many rows there are in all, if that is known. */
  total: number | null;
  /** What is shown may not hold any more. */
  stale: boolean;
  busy: boolean;
  onSelect: (id: string, range: boolean) => void;
  onSelectAll: () => void;
  /** Told which rows are in view, and whether the first is not. */
  onView: (view: InView) => void;
  /** The pointer came over the table, or left it. */
  onPoint: (over: boolean) => void;
  children?: ComponentChildren;
}

/** The rows of the list, of which only those near the view are drawn, below their headings. */
export function RunRows({ rows, fresh, selection, total, stale, busy, onSelect, onSelectAll, onView, onPoint, children }: RunRowsProps) {
  const body = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const height = rowHeight.value;
  const view = useRowsInView(body, head, height, rows.length);
  const told = useRef<InView | null>(null);
  if (told.current !== view) {
    told.current = view;
    queueMicrotask(() => onView(view));
  }
  const all = rows.length > 0 && rows.every((row) => selection.ids.has(row.run.workflow_id));
  const some = !all && selection.ids.size > 0;
  // Where no run has a target the others get its room.
  const targets = rows.some((row) => row.run.host !== null);
  return (
    <div
      class={`run-rows${stale ? " run-rows-stale" : ""}${targets ? "" : " run-rows-targetless"}`} role="table" aria-label="Runs" aria-rowcount={total === null ? -1 : total + 1} aria-busy={busy}
      onPointerEnter={(event) => { if (event.pointerType === "mouse") onPoint(true); }}
      onPointerLeave={(event) => { if (event.pointerType === "mouse") onPoint(false); }}
    >
      <div role="rowgroup" class="run-rows-head" ref={head}>
        <div role="row" class="run-rows-headings" aria-rowindex={1}>
          <span role="columnheader" class="run-row-select">
            <button
              type="button" role="checkbox" class="run-check" aria-checked={all ? true : some ? "mixed" : false}
              aria-label="Select all that are shown" disabled={rows.length === 0} onClick={onSelectAll}
            />
          </span>
          <span role="columnheader" class="run-row-mark"><span class="sr-only">Status</span></span>
          {COLUMNS.map((name) => <span key={name} role="columnheader" class={`run-rows-${name.toLowerCase()}`}>{name}</span>)}
        </div>
        {children}
      </div>
      <div role="rowgroup" class="run-rows-body" ref={body} style={{ height: `${rows.length * height}px` }}>
        {rows.slice(view.span.first, view.span.end).map((row, at) => {
          const index = view.span.first + at;
          const id = row.run.workflow_id;
          return <RunRow key={id} row={row} index={index} top={index * height} selected={selection.ids.has(id)} fresh={fresh.has(id)} onSelect={onSelect} />;
        })}
      </div>
    </div>
  );
}
