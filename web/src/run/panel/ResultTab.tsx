import { duration } from "../../format/durations";
import { exactTime, shortTime } from "../../format/times";
import { now } from "../../now";
import { Copy } from "../../parts/Copy";
import { messageOf } from "../../parts/Failed";
import { Tree } from "../../parts/Tree";
import type { ErrorShown, Json, StepState, WholeStep } from "../../api/types";
import { stepMark } from "./reading";
import { waitWords } from "./attempts";
import { paths } from "../../router";

/** How a step ended, with everything it gave back. */
export function ResultTab({ runId, step, whole, problem }: { runId: string; step: StepState; whole: WholeStep | null; problem: unknown }) {
  // What was read whole is shown once it is of the same end; until then what the state has of it.
  const same = whole !== null && stepMark(whole) === stepMark(step);
  const result = (same ? whole.result : step.result) ?? null;
  const error = (same ? whole.error : step.error) ?? null;
  const ended = step.end_time !== null && step.end_time !== undefined;
  // Where the run's state has nothing of the step, all that is shown is what was read.
  const old = problem !== null && step === whole ? <p class="result-old" role="status">It could not be read again: {messageOf(problem)} What is shown may be old; it is tried again.</p> : null;
  if (result === null && error === null) return <>{old}<p class="empty">{nothingYet(step)}</p></>;
  const failed = result ? !result.success : true;
  const message = result?.message ?? result?.error ?? error?.message ?? null;
  const details = (result && Object.keys(result.details ?? {}).length > 0 ? result.details : error?.details ?? {}) as Json;
  return (
    <div class="stack">
      {old}
      <div class={`outcome ${failed ? "outcome-failed" : "outcome-done"}`}>
        <p class="outcome-words">{message ?? (failed ? "It failed without a message." : step.status === "skipped" ? "Skipped." : "Done. It gave no message.")}</p>
        {error && <ErrorFacts error={error} />}
        {failed && step.attempt > 0 && (
          <p class="small">
            <a class="link" href={paths.step(runId, step.key)}>See its log</a>
            {step.failures > 1 && <> · <a class="link" href={paths.step(runId, step.key, "attempts")}>{step.failures} attempts failed</a></>}
          </p>
        )}
        {message && <Copy text={() => message} label="Copy" className="button plain outcome-copy" />}
      </div>
      {ended && (
        <p class="muted small">
          Ended <time title={exactTime(step.end_time!)}>{shortTime(step.end_time!, now.value)}</time>
          {step.duration_ms != null && <> after {duration(step.duration_ms)}</>}
        </p>
      )}
      <section class="stack-tight">
        <Tree value={details} title="Details" label="details of the result" empty="It gave no details." />
        {result?.clipped && (
          <p class="muted small" role="status">{same ? "These details are too large to be shown whole." : restWords(problem)}</p>
        )}
      </section>
    </div>
  );
}

const restWords = (problem: unknown): string =>
  problem === null ? "Reading the rest…" : `The rest could not be read: ${messageOf(problem)} It is tried again.`;

function ErrorFacts({ error }: { error: ErrorShown }) {
  return <p class="small"><span class="muted">Error</span> <code>{error.code}</code></p>;
}

function nothingYet(step: StepState): string {
  if (step.status === "in_progress") return "This step is in progress; its result comes when it ends.";
  if (step.waiting_for) return `This step ${waitWords(step.waiting_for)}; it has no result yet.`;
  if (step.status === "pending") return "This step has not begun.";
  if (step.status === "skipped") return "This step was skipped; it has no result.";
  if (step.status === "cancelled") return "This step was stopped; it has no result.";
  return "This step gave no result.";
}
