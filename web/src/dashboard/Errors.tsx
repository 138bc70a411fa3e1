import { ago, exactTime } from "../format/times";
import { now } from "../now";
import { paths } from "../router";
import type { ErrorPattern } from "./answer";
import { Nothing } from "./Part";

/** What went wrong most often in the window, each with the last run that it happened in. */
export function Errors({ errors }: { errors: readonly ErrorPattern[] }) {
  if (errors.length === 0) return <Nothing>Nothing failed in this time.</Nothing>;
  return (
    <ol class="card dash-list">
      {errors.map((error) => (
        <li key={`${error.action} ${error.code}`} class="error-row">
          <strong class="error-count">{error.count.toLocaleString("en")}</strong>
          <div class="error-said">
            <p class="error-message" title={error.message}>{error.message || error.code}</p>
            <p class="error-where">
              <code>{error.code}</code><span>{error.action}</span>
              <span title={exactTime(error.lastAt)}>{ago(error.lastAt, now.value)}</span>
              {error.countBefore > 0 && <span>{error.countBefore.toLocaleString("en")} before</span>}
            </p>
          </div>
          {error.workflowId !== null && <a class="button plain error-run" href={error.step === null ? paths.run(error.workflowId) : paths.step(error.workflowId, error.step, "attempts")} aria-label={`See it: the last run with ${error.code} of ${error.action}`}>See it</a>}
        </li>
      ))}
    </ol>
  );
}
