import { useComputed } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";

import type { State } from "../../api/types";
import { duration } from "../../format/durations";
import { clockTime, exactTime, shortTime } from "../../format/times";
import type { Connection } from "../../live/feed";
import { now } from "../../now";
import { Bar } from "../../parts/Bar";
import { Copy } from "../../parts/Copy";
import { StatusBadge } from "../../parts/StatusMark";
import { paths } from "../../router";
import { shownRunStatus, STATUSES } from "../../theme/statuses";
import { runPercent } from "../progress/percent";
import { Elapsed } from "../steps/Ticking";
import { type Durations, remainingMs, remainingWords } from "./estimate";
import { type Arrival, awayLine, nextWords, quietLine, summaryLine } from "./sentences";
import "./head.css";

interface Props {
  state: State;
  durations: Durations | null;
  arrival: Arrival;
  connection: Connection;
  controls: ComponentChildren;
}

/** The run as a whole: what it is, where it stands, how far it is, and what the page says about it. */
export function RunHead({ state, durations, arrival, connection, controls }: Props) {
  const status = shownRunStatus(state);
  const percent = runPercent(state);
  const done = state.counts.completed + state.counts.skipped;
  return (
    <header class="run-head">
      <div class="run-head-first">
        <h1 class="run-head-name truncate" title={state.name}>{state.name}</h1>
        <StatusBadge status={status} percent={percent} />
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
        <span class="run-head-count">{done} of {state.counts.total} steps{state.counts.failed > 0 && <span class="tone-red"> · {state.counts.failed} failed</span>}</span>
        <Bar percent={percent} label="The whole run" tone={STATUSES[status].tone === "grey" ? "accent" : STATUSES[status].tone} />
        <span class="run-head-time">
          {state.end_time ? duration(Date.parse(state.end_time) - Date.parse(state.start_time)) : <Elapsed since={state.start_time} />}
          <Remaining state={state} durations={durations} />
        </span>
      </div>
      <RunSays state={state} arrival={arrival} connection={connection} />
    </header>
  );
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
function Remaining({ state, durations }: { state: State; durations: Durations | null }) {
  const given = useRef({ state, durations });
  given.current = { state, durations };
  const text = useComputed(() => {
    const words = remainingWords(remainingMs(given.current.state, given.current.durations, now.value));
    return words === null ? "" : ` · ${words}`;
  });
  if (!durations || durations.samples === 0 || !state.active) return null;
  const runs = durations.samples === 1 ? "the last run" : `the last ${durations.samples} runs`;
  return <span class="run-head-left" title={`An estimate from ${runs} like this one`}>{text}</span>;
}
