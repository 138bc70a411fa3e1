import { computed } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";

import type { State } from "../../api/types";
import { countedOf } from "../../format/counts";
import { duration } from "../../format/durations";
import { clockTime, exactTime, shortTime } from "../../format/times";
import type { Connection, RunFeed } from "../../live/feed";
import { now } from "../../now";
import { Bar } from "../../parts/Bar";
import { Copy } from "../../parts/Copy";
import { StatusBadge } from "../../parts/StatusMark";
import { paths } from "../../router";
import { shownRunStatus, type Status, STATUSES } from "../../theme/statuses";
import { usePart } from "../parts";
import { runPercent } from "../progress/percent";
import { Elapsed } from "../steps/Ticking";
import { type Durations, remainingMs, remainingWords } from "./estimate";
import { type Arrival, awayLine, nextWords, quietLine, summaryLine } from "./sentences";
import "./head.css";

interface Props {
  feed: RunFeed;
  /** How far its steps are may be old: what shows that goes by the feed. */
  state: State;
  durations: Durations | null;
  arrival: Arrival;
  connection: Connection;
  controls: ComponentChildren;
}

/** The run as a whole: what it is, where it stands, how far it is, and what the page says about it. */
export function RunHead({ feed, state, durations, arrival, connection, controls }: Props) {
  const status = shownRunStatus(state);
  const done = state.counts.completed + state.counts.skipped;
  return (
    <header class="run-head">
      <div class="run-head-first">
        <h1 class="run-head-name truncate" title={state.name}>{state.name}</h1>
        <Badge feed={feed} status={status} />
        <div class="run-head-controls">{controls}</div>
      </div>
      <div class="run-head-facts">
        <span class="run-head-id"><code class="truncate">{state.workflow_id}</code><Copy text={() => state.workflow_id} label="Copy id" className="run-head-copy" /></span>
        {state.ssh && <code class="run-head-host truncate" title={state.ssh_connection ?? undefined}>{state.ssh.user}@{state.ssh.host}:{state.ssh.port}</code>}
        <span>by {state.started_by}, <Started at={state.start_time} /></span>
        {state.template_id && <span>template <code>{state.template_id}</code></span>}
        {state.forked_from && <span>from <a class="link" href={paths.run(state.forked_from)}>{state.forked_from}</a></span>}
        {state.priority !== 5 && <span>priority {state.priority}</span>}
      </div>
      <div class="run-head-far">
        <span class="run-head-count">{countedOf(done, state.counts.total, "step")}{state.counts.failed > 0 && <span class="tone-red"> · {state.counts.failed} failed</span>}</span>
        <Far feed={feed} status={status} />
        <span class="run-head-time">
          {state.end_time ? duration(Date.parse(state.end_time) - Date.parse(state.start_time)) : <Elapsed since={state.start_time} />}
          <Remaining feed={feed} active={state.active} durations={durations} />
        </span>
      </div>
      <RunSays state={state} arrival={arrival} connection={connection} />
    </header>
  );
}

/** Whole percents are all that its ring shows. */
function Badge({ feed, status }: { feed: RunFeed; status: Status }) {
  const percent = usePart(feed, (state) => Math.round(runPercent(state)));
  return <StatusBadge status={status} percent={percent.value} />;
}

/** A tenth of a percent is less than two pixels of the widest bar. */
function Far({ feed, status }: { feed: RunFeed; status: Status }) {
  const percent = usePart(feed, (state) => Math.round(runPercent(state) * 10) / 10);
  const { tone } = STATUSES[status];
  return <Bar percent={percent.value} label="The whole run" tone={tone === "grey" ? "accent" : tone} />;
}

/** The quiet line of a run that goes on, or what became of it and what can be done next. */
function RunSays({ state, arrival, connection }: { state: State; arrival: Arrival; connection: Connection }) {
  const summary = summaryLine(state);
  const next = nextWords(state);
  return (
    <div class="run-says" role="status" aria-live="polite">
      {summary === null ? <p class="run-quiet">{connection.kind === "offline" ? awayLine(connection.asOf === null ? null : clockTime(connection.asOf)) : quietLine(state, arrival)}</p> : (
        <p class={`run-summary run-summary-${state.status}`}>
          <strong>{summary}</strong>{next && <span class="muted"> {next}</span>}
        </p>
      )}
    </div>
  );
}

function Started({ at }: { at: string }) {
  return <time dateTime={at} title={exactTime(at)}>{shortTime(at, now.peek())}</time>;
}

/** An estimate, marked as one; nothing without earlier runs of the same kind. */
function Remaining({ feed, active, durations }: { feed: RunFeed; active: boolean; durations: Durations | null }) {
  const text = useMemo(() => computed(() => {
    const words = remainingWords(remainingMs(feed.state.peek()!, durations, now.value));
    return words === null ? "" : ` · ${words}`;
  }), [feed, durations]);
  if (!durations || durations.samples === 0 || !active) return null;
  const runs = durations.samples === 1 ? "the last run" : `the last ${durations.samples} runs`;
  return <span class="run-head-left" title={`An estimate from ${runs} like this one`}>{text}</span>;
}
