import { useEffect, useState } from "preact/hooks";

import { pollList } from "../live/list";
import { now } from "../now";
import { Boundary } from "../parts/Boundary";
import { Failed, messageOf } from "../parts/Failed";
import { Later } from "../parts/Later";
import { clockTime } from "../format/times";
import { config } from "../session";
import { readWorkers, type Overview } from "./answer";
import { Command } from "./Command";
import { FlowerHint } from "./FlowerHint";
import { inOrder, queuesInOrder, summary, unheard } from "./overview";
import { QueueTable } from "./QueueTable";
import { Unheard } from "./Unheard";
import { Waits } from "./Waits";
import { keepLoad } from "./load";
import { WorkerRow } from "./WorkerRow";
import "./workers.css";

const loadChart = () => import("./LoadChart");

/** Who works on what, and what waits for whom. */
export default function WorkersPage() {
  const [list] = useState(() => pollList(readWorkers));
  useEffect(() => () => list.close(), []);
  const overview = list.data.value;
  const error = list.error.value;
  useEffect(() => { if (overview !== null) keepLoad(overview, Date.now()); }, [overview]);
  return (
    <div class="workers">
      <h1 class="sr-only">Workers</h1>
      {overview === null ? (error === null ? <Skeleton /> : <Failed error={error} retry={() => void list.refresh()} />) : (
        <>
          {error !== null && <p class="workers-stale" role="status">{messageOf(error)} What is shown is as of {clockTime(list.asOf.value ?? 0)}.</p>}
          <div class={error === null ? "workers-shown" : "workers-shown workers-old"}><Shown overview={overview} /></div>
        </>
      )}
    </div>
  );
}

function Shown({ overview }: { overview: Overview }) {
  const workers = inOrder(overview.workers);
  const at = now.value;
  return (
    <>
      {unheard(overview).map((queue) => <Unheard key={queue.name} queue={queue} atMost={overview.at_most} />)}
      <section class="workers-part" aria-labelledby="workers-who">
        <div class="workers-head"><h2 id="workers-who">Workers</h2><p class="muted small">{summary(overview)}</p></div>
        {workers.every((worker) => worker.lost) && <NoWorker />}
        {workers.length > 0 && (
          <ul class="card workers-list">{workers.map((worker) => <WorkerRow key={`${worker.name} ${worker.pid} ${worker.started_at}`} worker={worker} now={at} />)}</ul>
        )}
      </section>
      <div class="workers-columns">
        <section class="workers-part" aria-labelledby="workers-queues">
          <div class="workers-head"><h2 id="workers-queues">Queues</h2></div>
          <QueueTable queues={queuesInOrder(overview.queues)} workers={overview.workers} atMost={overview.at_most} />
        </section>
        <section class="workers-part" aria-labelledby="workers-load">
          <div class="workers-head"><h2 id="workers-load">Steps</h2><p class="muted small">since this page was opened</p></div>
          <Boundary what="The chart"><div class="card workers-chart"><Later load={loadChart} props={{ atMost: overview.at_most }} /></div></Boundary>
        </section>
      </div>
      <section class="workers-part" aria-labelledby="workers-waits">
        <div class="workers-head"><h2 id="workers-waits">Waiting</h2></div>
        <Waits waiting={overview.waiting} atMost={overview.at_most} />
      </section>
      <FlowerHint port={overview.flower_port} />
    </>
  );
}

function NoWorker() {
  return (
    <div class="card workers-none">
      <p>No worker is running. Runs are accepted and kept; their steps begin as soon as one is there.</p>
      <p class="muted small">The whole stack on this machine, or one worker for a server that runs already:</p>
      <Command text="perdure up" />
      <Command text="celery -A workers worker --pool threads -c 16 -Q default,ssh,http -n io@%h" />
    </div>
  );
}

function Skeleton() {
  return (
    <div class="workers-shown" aria-busy="true" aria-label={config.value ? "Reading the workers" : "Connecting"}>
      {[72, 72, 160].map((height, at) => <div key={at} class="card workers-skeleton" style={{ height: `${height}px` }}><span class="skeleton" style={{ width: "30%" }} /></div>)}
    </div>
  );
}
