import { useMemo } from "preact/hooks";

import { counted } from "../../format/counts";
import type { RunFeed } from "../../live/feed";
import { Copy } from "../../parts/Copy";
import { Failed } from "../../parts/Failed";
import { query, setQuery } from "../../router";
import { entryLook, kindsOf, wanted } from "./entries";
import { TraceRows } from "./TraceRows";
import { useTrace } from "./reader";

/** What happened to a run, in order. Filters are in the address. */
export default function TraceView({ feed }: { feed: RunFeed }) {
  const { entries, complete, problem } = useTrace(feed);
  const filter = { kind: query.value.get("kind"), step: query.value.get("of"), text: query.value.get("text") ?? "" };
  const shown = useMemo(() => wanted(entries, filter), [entries, filter.kind, filter.step, filter.text]);
  const kinds = useMemo(() => kindsOf(entries), [entries]);
  const steps = useMemo(() => [...new Set(entries.flatMap((entry) => entry.key ?? []))], [entries]);
  const omitted = useMemo(() => entries.reduce((sum, entry) => sum + entry.omitted, 0), [entries]);
  const start = entries[0] ? Date.parse(entries[0].time) : null;
  const filtered = shown !== entries;

  if (entries.length === 0) {
    if (problem !== null) return <Failed error={problem} />;
    return complete ? <p class="empty">Nothing has happened yet.</p> : <div class="trace-skeleton" role="status" aria-label="Loading the trace">{[50, 70, 42, 60].map((width) => <span key={width} class="skeleton" style={{ width: `${width}%` }} />)}</div>;
  }
  return (
    <section class="trace" aria-label="Trace of the run">
      <div class="trace-bar">
        <input type="search" class="trace-search" placeholder="Filter" aria-label="Filter the trace by text" value={filter.text} onInput={(event) => setQuery({ text: event.currentTarget.value })} />
        <select aria-label="What happened" value={filter.kind ?? ""} onChange={(event) => setQuery({ kind: event.currentTarget.value })}>
          <option value="">Everything</option>
          {kinds.map(([kind, count]) => <option key={kind} value={kind}>{wordOf(kind)} ({count.toLocaleString()})</option>)}
        </select>
        {steps.length <= 500 ? (
          <select aria-label="Step" value={filter.step ?? ""} onChange={(event) => setQuery({ of: event.currentTarget.value })}>
            <option value="">All steps</option>
            {steps.map((key) => <option key={key} value={key}>{key}</option>)}
          </select>
        ) : <input type="text" aria-label="Key of a step" placeholder="Step" value={filter.step ?? ""} onChange={(event) => setQuery({ of: event.currentTarget.value })} />}
        <span class="muted small" role="status">
          {filtered ? `${shown.length.toLocaleString()} of ${entries.length.toLocaleString()}` : counted(entries.length, "entry", "entries")}
          {omitted > 0 && `, ${omitted.toLocaleString()} more only counted`}
          {!complete && ", reading…"}
        </span>
        <Copy text={() => JSON.stringify(shown, null, 2)} label="Copy JSON" />
      </div>
      {problem !== null && <p class="muted small" role="status">The trace could not be read on; trying again.</p>}
      {shown.length === 0
        ? <p class="empty">Nothing fits. <button type="button" class="button" onClick={() => setQuery({ kind: null, of: null, text: null })}>Show everything</button></p>
        : <TraceRows runId={feed.runId} entries={shown} start={start} withStep label="What happened, oldest first" />}
    </section>
  );
}

function wordOf(kind: string): string {
  const { words } = entryLook({ seq: 0, time: "", kind, index: null, key: null, attempt: null, status: null, detail: null, omitted: 0 });
  return words;
}
