import { countedOf } from "../format/counts";
import { Bar } from "../parts/Bar";
import { StatusBadge } from "../parts/StatusMark";
import { paths } from "../router";
import { me, whyNotOperator } from "../session";
import { shownRunStatus } from "../theme/statuses";
import type { HostRun } from "./useHostRun";
import { useStop } from "./useStop";

/** The run that is at work on the host, with the button that stops it where Run stands otherwise. */
export function HostRunStrip({ run, refresh }: { run: NonNullable<HostRun["active"]>; refresh: () => void }) {
  const { stopping, stop } = useStop(run, refresh);
  const why = me.value === null ? null : whyNotOperator.value;
  const step = run.step;
  return (
    <div class="start-strip" role="status">
      <p class="start-strip-head">
        <StatusBadge status={stopping ? "stopping" : shownRunStatus(run)} percent={run.percent} />
        <a class="link truncate" href={paths.run(run.workflow_id)}>{run.name}</a>
      </p>
      <span class="tone-accent"><Bar percent={run.percent} label="Progress of the run" /></span>
      <p class="small">
        {step ? `Step ${step.index + 1} of ${run.total_steps} is ${step.waiting_for ? "waiting" : "running"} on the server: ${step.label}.` : `${countedOf(run.counts.completed, run.total_steps, "step is", "steps are")} done.`} You can close this page.
      </p>
      <button type="button" class="button danger start-go start-stop" disabled={stopping || why !== null} title={why ?? `Stop ${run.workflow_id}`} onClick={() => void stop()}>
        {stopping ? "Stopping…" : "Stop run"}
      </button>
      {why !== null && <p class="muted small">{why}</p>}
    </div>
  );
}
