import { useState } from "preact/hooks";

import { clockTime, exactTime, shortTime } from "../../format/times";
import { duration } from "../../format/durations";
import { StatusMark } from "../../parts/StatusMark";
import { Tree } from "../../parts/Tree";
import { VirtualList } from "../../parts/VirtualList";
import { paths } from "../../router";
import type { Json, TraceEntry } from "../../api/types";
import { askedBy, entryLook, reasonOf, restOf } from "./entries";
import "./trace.css";

export interface TraceRowsProps {
  runId: string;
  entries: readonly TraceEntry[];
  /** When the run began: times are shown from there. */
  start: number | null;
  /** Each row says of which step it is. */
  withStep: boolean;
  label: string;
}

/** Entries of a trace, one below the other. */
export function TraceRows({ runId, entries, start, withStep, label }: TraceRowsProps) {
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const toggle = (seq: number) => setOpened((before) => { const next = new Set(before); if (!next.delete(seq)) next.add(seq); return next; });
  return (
    <VirtualList
      class="trace-list" label={label} items={entries} rowHeight={32} measured overscan={12} focusable keyOf={(entry) => entry.seq}
      row={(entry) => <Entry runId={runId} entry={entry} start={start} withStep={withStep} open={opened.has(entry.seq)} toggle={toggle} />}
    />
  );
}

interface EntryProps {
  runId: string;
  entry: TraceEntry;
  start: number | null;
  withStep: boolean;
  open: boolean;
  toggle: (seq: number) => void;
}

function Entry({ runId, entry, start, withStep, open, toggle }: EntryProps) {
  const { words, mark } = entryLook(entry);
  const by = askedBy(entry);
  const reason = reasonOf(entry);
  const rest = restOf(entry);
  const at = Date.parse(entry.time);
  return (
    <div class="trace-entry">
      <div class="trace-line">
        <time class="trace-time" dateTime={entry.time} title={`${exactTime(at)} · ${entry.time}`}>{today(at) ? clockTime(at) : shortTime(at, Date.now())}</time>
        <span class="trace-since" title="Since the run was started">{start === null ? "" : `+${duration(Math.max(0, at - start))}`}</span>
        <span aria-hidden="true"><StatusMark status={mark} size={14} /></span>
        {withStep && entry.key !== null && <a class="trace-step mono truncate" href={paths.step(runId, entry.key)} title={entry.key}>{entry.key}</a>}
        <span class="trace-words">
          {words}
          {by !== null && <span class="muted"> by {by}</span>}
          {entry.status !== null && entry.kind !== "started" && entry.kind !== "resumed" && entry.status !== entry.kind && <span class="muted"> · run {entry.status}</span>}
        </span>
        {reason !== null && <span class="trace-reason truncate" title={reason}>{reason}</span>}
        {entry.omitted > 0 && <span class="tag" title="Begins and ends of later attempts are counted, not written">+{entry.omitted.toLocaleString()} more not written</span>}
        {rest !== null && (
          <button type="button" class="button plain trace-more" aria-expanded={open} onClick={() => toggle(entry.seq)}>{open ? "Less" : "More"}</button>
        )}
      </div>
      {open && rest !== null && (
        <div class="trace-detail">
          {reason !== null && <p>{reason}</p>}
          <Tree value={rest as Json} label="detail" />
        </div>
      )}
    </div>
  );
}

const today = (at: number): boolean => new Date(at).toDateString() === new Date().toDateString();
