import type { State, StepState } from "../../api/types";
import { paths } from "../../router";
import { whyNotOperator } from "../../session";
import type { RowActions } from "./StepRow";
import { pairs } from "./resultLine";

/** Why a step failed, where, and what can be done now. */
export function StepFault({ step, runId, runStatus, actions }: { step: StepState; runId: string; runStatus: State["status"]; actions: RowActions }) {
  const error = step.error;
  const message = error?.message ?? step.result?.error ?? "";
  const details = pairs(error?.details);
  const more = message.trim().includes("\n") || message.length > 90;
  const over = runStatus === "failed" || runStatus === "cancelled";
  const why = whyNotOperator.value;
  return (
    <div class="step-fault">
      {more && <p class="step-fault-message">{message}</p>}
      <p class="step-fault-facts">
        {error?.code && <code>{error.code}</code>}
        {details !== "" && <span class="truncate" title={details}>{details}</span>}
      </p>
      <div class="step-fault-next">
        {over && (
          <>
            <button type="button" class="button" disabled={why !== null} title={why ?? undefined} onClick={() => actions.retryFrom(step.key)}>Retry from here</button>
            <button type="button" class="button" disabled={why !== null} title={why ?? undefined} onClick={() => actions.skip(step.key)}>Skip and go on</button>
          </>
        )}
        <a class="button" href={paths.step(runId, step.key)}>See the log</a>
      </div>
    </div>
  );
}
