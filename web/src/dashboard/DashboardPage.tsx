import type { ComponentChildren } from "preact";
import { useEffect, useMemo } from "preact/hooks";

import { OpenAlerts } from "../alerts/OpenAlerts";
import { clockTime } from "../format/times";
import { followFigures, type Figures } from "../live/figures";
import type { ListFeed } from "../live/list";
import { Failed, messageOf } from "../parts/Failed";
import { query } from "../router";
import { readFlow, readMetrics, type Flow, type Metrics } from "./answer";
import { ActionTable } from "./ActionTable";
import { Breakers } from "./Breakers";
import { Charts } from "./Charts";
import { Errors } from "./Errors";
import { HealthCard } from "./HealthCard";
import { Hosts } from "./Hosts";
import { Limits } from "./Limits";
import { Locks } from "./Locks";
import { Part } from "./Part";
import { Queues } from "./Queues";
import { Trends } from "./Trends";
import { Usage } from "./Usage";
import { Waiting } from "./Waiting";
import { WindowChoice } from "./WindowChoice";
import { windowOf, type Window } from "./windows";
import { countedTo } from "./words";
import "./dashboard.css";

/** How the system does: what ended, how well, and what holds steps back just now. */
export default function DashboardPage() {
  const window = windowOf(query.value.get("window"));
  const { name, everyMs } = window;
  const metrics = useFigures<Metrics>({ topic: "metrics", body: { window: name }, read: readMetrics(name), everyMs, at: (found) => found.now, meant: (found) => found.window === name }, name);
  const flow = useFigures<Flow>({ topic: "flow", read: readFlow, everyMs: FLOW_MS, at: (found) => found.at }, "flow");
  return (
    <div class="dash">
      <h1 class="sr-only">Dashboard</h1>
      <div class="dash-top">
        <WindowChoice chosen={window} />
        {metrics.data.value !== null && <p class="muted small dash-until" title="What ended is counted up to then">counted up to {clockTime(metrics.data.value.until)}</p>}
      </div>
      <Read feed={metrics} skeletons={[104, 232]}>{(found) => <Ended metrics={found} window={window} />}</Read>
      <Part title="Alerts"><OpenAlerts /></Part>
      <Read feed={flow} skeletons={[96, 96]}>{(found) => <HoldsBack flow={found} refresh={() => flow.refresh()} />}</Read>
      {metrics.data.value !== null && <Behind metrics={metrics.data.value} />}
    </div>
  );
}

const FLOW_MS = 2000;

function useFigures<T>(figures: Figures<T>, key: string): ListFeed<T> {
  const feed = useMemo(() => followFigures(figures), [key]);
  useEffect(() => () => feed.close(), [feed]);
  return feed;
}

/** What a feed shows: skeletons at first, what failed, and what is shown still while it cannot be asked for again. */
function Read<T>({ feed, skeletons, children }: { feed: ListFeed<T>; skeletons: readonly number[]; children: (found: T) => ComponentChildren }) {
  const found = feed.data.value;
  const error = feed.error.value;
  if (found === null) {
    return error !== null ? <Failed error={error} retry={() => void feed.refresh()} /> : (
      <div class="dash-stack" aria-busy="true" aria-label="Reading the figures">
        {skeletons.map((height, at) => <div key={at} class="card dash-skeleton" style={{ height: `${height}px` }}><span class="skeleton" style={{ width: "30%" }} /></div>)}
      </div>
    );
  }
  return (
    <>
      {error !== null && <p class="dash-stale" role="status">{messageOf(error)} What is shown is as of {clockTime(feed.asOf.value ?? 0)}.</p>}
      <div class={error === null ? "dash-stack" : "dash-stack dash-old"}>{children(found)}</div>
    </>
  );
}

function Ended({ metrics, window }: { metrics: Metrics; window: Window }) {
  const { current, health, trends, steps } = metrics;
  return (
    <>
      <div class="dash-heads">
        <HealthCard health={health} />
        <Trends trends={trends} />
      </div>
      {steps.ended === 0 && <p class="muted small">No step ended in the last {window.word}: figures come with the first one.{current.inProgress > 0 ? ` ${countedTo(current.inProgress, current.atMost)} in progress.` : ""}</p>}
      <Charts metrics={metrics} window={window} />
    </>
  );
}

function HoldsBack({ flow, refresh }: { flow: Flow; refresh: () => Promise<void> }) {
  const waiting = new Map(flow.waitingOn.filter((one) => one.reason === "breaker").map((one) => [one.waitingOn.replace(/^breaker:/, ""), one.steps]));
  return (
    <>
      <div class="dash-two">
        <Part title="Waiting" note="now, other than for a worker"><Waiting flow={flow} /></Part>
        <Part title="Breakers"><Breakers breakers={flow.breakers} waiting={waiting} refresh={refresh} /></Part>
      </div>
      <div class="dash-two">
        <Part title="Locks and places"><Locks locks={flow.locks} /></Part>
        <Part title="Rate limits"><Limits limits={flow.rateLimits} /></Part>
      </div>
    </>
  );
}

function Behind({ metrics }: { metrics: Metrics }) {
  return (
    <>
      <div class="dash-two">
        <Part title="Actions"><ActionTable actions={metrics.actions} /></Part>
        <Part title="What went wrong"><Errors errors={metrics.errors} /></Part>
      </div>
      <div class="dash-two">
        <Part title="Queues" note={`${countedTo(metrics.current.ready, metrics.current.atMost)} ready, ${countedTo(metrics.current.inProgress, metrics.current.atMost)} in progress`}><Queues queues={metrics.queues} atMost={metrics.current.atMost} /></Part>
        <Part title="Hosts"><Hosts hosts={metrics.hosts} /></Part>
      </div>
      <Part title="What work used" note="processor, memory and network"><Usage metrics={metrics} /></Part>
    </>
  );
}
