import { useState } from "preact/hooks";

import { clock } from "../format/durations";
import { ago, exactTime } from "../format/times";
import { paths } from "../router";
import type { WorkIn, Worker } from "./answer";
import { longestFirst } from "./overview";
import { Slots } from "./Slots";

/** Of a worker that does much, so many are shown at first. */
const FIRST_SHOWN = 8;

/** One worker: where it is, how much of it is in use, and what it does. */
export function WorkerRow({ worker, now }: { worker: Worker; now: number }) {
  const [whole, setWhole] = useState(false);
  const steps = longestFirst(worker.steps);
  const shown = whole ? steps : steps.slice(0, FIRST_SHOWN);
  return (
    <li class={`worker${worker.lost ? " worker-lost" : ""}`}>
      <div class="worker-head">
        <div class="worker-name">
          <span class="mono truncate">{worker.name}</span>
          {worker.lost && <span class="tag worker-tag-lost" title="It gave no sign for as long as a lease lasts. What it had in hand is given to others.">lost</span>}
          <span class="worker-where truncate">{where(worker)}</span>
        </div>
        <Slots used={worker.steps.length} slots={worker.concurrency} off={worker.lost} />
        <div class="worker-queues">{worker.queues?.map((queue) => <span key={queue} class="tag">{queue}</span>) ?? <span class="muted small">queues not told</span>}</div>
        <span class="worker-since" title={`Since ${exactTime(worker.started_at)}`}>started {ago(worker.started_at, now)}</span>
      </div>
      {steps.length > 0 && (
        <ul class="worker-steps">{shown.map((step) => <StepLine key={`${step.workflow_id} ${step.index}`} step={step} now={now} />)}</ul>
      )}
      {steps.length > FIRST_SHOWN && (
        <button type="button" class="button plain worker-more" aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {whole ? "Show fewer" : `Show all ${steps.length}`}
        </button>
      )}
    </li>
  );
}

function StepLine({ step, now }: { step: WorkIn; now: number }) {
  return (
    <li>
      <a class="worker-step" href={paths.step(step.workflow_id, step.key)}>
        <span class="worker-step-label truncate">{step.label}</span>
        <span class="worker-step-action mono truncate">{step.action}</span>
        <span class="worker-step-run mono truncate">{step.workflow_id}</span>
        <span class="worker-step-attempt">{step.attempt > 1 ? `attempt ${step.attempt}` : ""}</span>
        <span class="worker-step-time" title={`Since ${exactTime(step.since)}`}>{clock(now - new Date(step.since).getTime())}</span>
      </a>
    </li>
  );
}

function where(worker: Worker): string {
  // Celery's names end with the host's; it is not said twice.
  const host = worker.name.endsWith(`@${worker.host}`) ? null : worker.host;
  return [host, `pid ${worker.pid}`, worker.pool].filter((part) => part !== null && part !== "").join(" · ");
}
