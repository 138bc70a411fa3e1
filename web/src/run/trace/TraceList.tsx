import { useMemo } from "preact/hooks";

import type { RunFeed } from "../../live/feed";
import { Failed } from "../../parts/Failed";
import { TraceRows } from "./TraceRows";
import { useTrace } from "./reader";

/** What happened to one step. */
export function TraceList({ feed, step }: { feed: RunFeed; step: string }) {
  const { entries, complete, problem } = useTrace(feed);
  const mine = useMemo(() => entries.filter((entry) => entry.key === step), [entries, step]);
  const start = entries[0] ? Date.parse(entries[0].time) : null;
  if (mine.length === 0) {
    if (problem !== null && entries.length === 0) return <Failed error={problem} />;
    return <p class="empty">{complete ? "Nothing has happened to this step yet." : "Reading the trace…"}</p>;
  }
  return <TraceRows runId={feed.runId} entries={mine} start={start} withStep={false} label="Trace of the step" />;
}
