import type { StepState } from "../../api/types";
import { paths } from "../../router";
import { secondLine } from "../steps/secondLine";
import { Countdown, Elapsed } from "../steps/Ticking";

/** What an opened step waits for, until when, and all who hold it that are told: the row of the list may be too short for it. */
export function Waits({ step, runId }: { step: StepState; runId: string }) {
  const { text, untilMs, due } = secondLine(step, { runStatus: "running", needs: "" });
  const holders = step.waiting_for === "lock" ? step.held_by ?? [] : [];
  return (
    <div class="step-waits">
      <p>{untilMs === null ? text : <Countdown untilMs={untilMs} before={text} due={due} />}</p>
      {holders.length > 0 && (
        <ul>
          {holders.map((one) => (
            <li key={`${one.workflow_id} ${one.step}`}>
              held by <a class="link" href={paths.step(one.workflow_id, one.step)}>{one.workflow_id === runId ? `step ${one.step} of this run` : `${one.workflow_id} (step ${one.step})`}</a>
              {" "}for <Elapsed since={one.since} />{one.for_run ? ", until its run ends" : ""}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
