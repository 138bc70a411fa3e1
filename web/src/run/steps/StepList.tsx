import { effect, untracked, useComputed } from "@preact/signals";
import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";

import { get } from "../../api/client";
import type { State, StepState } from "../../api/types";
import type { RunFeed } from "../../live/feed";
import { messageOf } from "../../parts/Failed";
import { kept } from "../../parts/kept";
import { VirtualList, type VirtualListControl } from "../../parts/VirtualList";
import type { StepTab } from "../../router";
import { usePart } from "../parts";
import { titleOf, unmetNeeds } from "./secondLine";
import { type FetchSteps, StepPages } from "./StepPages";
import { StepRow, type RowActions } from "./StepRow";
import "./steps.css";

/** What keys and buttons outside of the list do with it. */
export interface ListHandle {
  /** The step so many rows from the one of this key, at most the first or last. Null: not read yet. */
  beside(key: string | null, by: number): StepState | null;
  find(key: string): StepState | undefined;
  reveal(key: string, where: "nearest" | "center"): void;
}

/** Title and second line; what nests under a step makes its row higher. */
const ROW_PX = 56;
/** Shorter lists are drawn whole: the browser's own search finds all of them. */
const DRAWN_WHOLE = 120;

interface Props {
  feed: RunFeed;
  /** How far its steps are may be old: rows go by the feed. */
  state: State;
  open: string | null;
  marked: string | null;
  tab: StepTab;
  actions: RowActions;
  handle: RefObject<ListHandle | null>;
}

/** The steps of a run, one below the other. Long runs are read and drawn where they are looked at. */
export function StepList({ feed, state, open, marked, tab, actions, handle }: Props) {
  const pages = useMemo(() => {
    const made = new StepPages(stepsOf(feed.runId));
    made.take(feed.state.peek()!);
    return made;
  }, [feed]);
  const list = useRef<HTMLDivElement>(null);
  const control = useRef<VirtualListControl>(null);
  // Before effects that follow from what is drawn: one drawing shows one state.
  useLayoutEffect(() => effect(() => {
    const newest = feed.state.value!;
    untracked(() => pages.take(newest));
  }), [pages]);
  useEffect(() => {
    const unhear = feed.onEvent((event) => pages.hear(event));
    return () => { unhear(); pages.close(); };
  }, [pages]);
  // Without events every newer version may have changed what is not in the state.
  const version = usePart(feed, (newest) => newest.version);
  const live = feed.connection.value.kind === "live";
  useEffect(() => { if (!live) pages.outdate(); }, [live ? 0 : version.value]);

  const rows = pages.rows;
  const find = (key: string) => pages.find(key);
  const drawnWhole = rows.length <= DRAWN_WHOLE;
  const rowOf = (key: string): number => rows.indexOf(pages.find(key)?.index ?? -1);
  handle.current = {
    find,
    beside(key, by) {
      const row = key === null ? -1 : rowOf(key);
      const from = row < 0 ? rows.indexOf(state.current_step ?? 0) - by : row;
      return pages.step(rows[Math.max(0, Math.min(rows.length - 1, from + by))] ?? -1) ?? null;
    },
    reveal(key, where) {
      const row = rowOf(key);
      if (row < 0) return;
      if (!drawnWhole) control.current?.show(row, where);
      // Clear of the bars above and below, which only the browser's own scrolling knows.
      requestAnimationFrame(() => list.current?.querySelector(`[data-step="${rows[row]}"]`)?.scrollIntoView({ block: where }));
    },
  };

  const drawRow = (position: number, row: number): ComponentChildren => (
    <Row
      pages={pages} position={position} runId={feed.runId} runStatus={state.status} tab={tab} actions={actions}
      open={open} marked={marked} last={row === rows.length - 1}
    />
  );
  return (
    <div ref={list} style={{ "--step-digits": `${Math.max(2, String(rows.length).length)}ch` }}>
      {pages.problem.value !== null && (
        <p class="steps-problem" role="status">Some steps could not be read: {messageOf(pages.problem.value)} It is tried again.</p>
      )}
      {drawnWhole ? (
        <ol class="steps" aria-label="Steps">
          {rows.map((position, row) => <li key={position} data-step={position}>{drawRow(position, row)}</li>)}
        </ol>
      ) : (
        <VirtualList
          class="steps" label="Steps" items={rows} rowHeight={ROW_PX} measured scroller="outer" overscan={12} control={control}
          keyOf={(position) => position}
          row={(position, row) => <div data-step={position}>{drawRow(position, row)}</div>}
        />
      )}
    </div>
  );
}

interface RowOfList {
  pages: StepPages;
  position: number;
  runId: string;
  runStatus: State["status"];
  tab: StepTab;
  actions: RowActions;
  open: string | null;
  marked: string | null;
  last: boolean;
}

/** One row, which follows its step by itself: what changes in it draws nothing else. While it is drawn its step is read. */
const Row = kept(function Row({ pages, position, open, marked, ...rest }: RowOfList) {
  const step = pages.at(position).value;
  useEffect(() => { const gone = pages.draw(position); return () => { gone(); }; }, [pages, position]);
  // Told of the steps it needs, drawn again only when the words are others.
  const needs = useComputed(() => {
    const own = pages.at(position).value;
    return own?.status === "pending" ? unmetNeeds(own, (key) => followed(pages, key)) : "";
  });
  const madeBy = useComputed(() => makerOf(pages.at(position).value, pages));
  if (!step) return <Unread number={position + 1} />;
  return <StepRow {...rest} step={step} needs={needs.value} madeBy={madeBy.value} open={open === step.key} marked={marked === step.key} />;
});

function followed(pages: StepPages, key: string): StepState | undefined {
  const found = pages.find(key);
  return found && pages.at(found.index).value;
}

/** A step whose page is being read. */
function Unread({ number }: { number: number }) {
  return (
    <div class="step-row step-row-unread" aria-busy="true">
      <div class="step-row-rail" />
      <div class="step-row-body">
        <div class="step-row-head"><span class="step-row-number">{number}</span><span class="skeleton step-row-unread-title" /></div>
        <div class="step-row-second" />
      </div>
    </div>
  );
}

function makerOf(step: StepState | undefined, pages: StepPages): string | null {
  if (typeof step?.made_by !== "number") return null;
  const maker = pages.at(step.made_by).value;
  return maker ? titleOf(maker) : `step ${step.made_by + 1}`;
}

function stepsOf(runId: string): FetchSteps {
  return async (cursor, limit) => {
    const answer = await get("/workflow/steps", { query: { workflow_id: runId, cursor, limit } });
    return "steps" in answer ? answer : { steps: [], next: null };
  };
}
