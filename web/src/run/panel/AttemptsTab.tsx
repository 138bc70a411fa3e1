import { clock, duration } from "../../format/durations";
import { exactTime, shortTime } from "../../format/times";
import { now } from "../../now";
import { StatusMark } from "../../parts/StatusMark";
import { Tree } from "../../parts/Tree";
import { paths } from "../../router";
import type { Json, StepState, WholeStep } from "../../api/types";
import { STATUSES } from "../../theme/statuses";
import { attemptLines, usedWords, type AttemptLine, type Used, type WaitLine } from "./attempts";

/** Every attempt of a step, and what was waited for between them. */
export function AttemptsTab({ runId, step, whole }: { runId: string; step: StepState; whole: WholeStep }) {
  const lines = attemptLines(whole, step);
  if (lines.length === 0) return <p class="empty">{step.status === "pending" ? "This step has not begun." : "Nobody attempted this step."}</p>;
  const shown = whole.attempts.length;
  return (
    <div class="stack-tight">
      {step.attempt > shown + 1 && shown >= 100 && <p class="muted small">The newest {shown} of {step.attempt} attempts.</p>}
      <ol class="attempts">
        {lines.map((line) => (line.kind === "attempt"
          ? <AttemptItem key={`a${line.attempt}`} line={line} href={`${paths.step(runId, step.key)}?attempt=${line.attempt}`} />
          : <WaitItem key={`w${line.from}`} line={line} />))}
      </ol>
    </div>
  );
}

function AttemptItem({ line, href }: { line: AttemptLine; href: string }) {
  const took = line.start === null ? null : line.end === null ? now.value - line.start : line.end - line.start;
  return (
    <li class="attempt">
      <span class="attempt-mark"><StatusMark status={line.status} /></span>
      <div class="attempt-main">
        <p class="attempt-head">
          <strong>{line.attempt === 0 ? "Result" : `Attempt ${line.attempt}`}</strong>
          <span class={`tone-${STATUSES[line.status].tone}`}>{line.words}</span>
          {took !== null && <span title="How long it took">{line.end === null ? clock(took) : duration(took)}</span>}
          {line.start !== null && <time class="muted" title={exactTime(line.start)}>{shortTime(line.start, now.value)}</time>}
          {line.used !== null && <Uses used={line.used} />}
          {line.attempt > 0 && <a class="link small" href={href}>Log</a>}
          {line.worker && <code class="muted truncate attempt-worker" title={`Run by ${line.worker}`}>{line.worker}</code>}
        </p>
        {line.error && (
          <div class="attempt-error">
            <p>{line.error.message}</p>
            <p class="small muted"><code>{line.error.code}</code></p>
            {Object.keys(line.error.details ?? {}).length > 0 && (
              <details><summary class="small">Details</summary><Tree value={line.error.details as Json} label="details of the error" /></details>
            )}
          </div>
        )}
      </div>
    </li>
  );
}

function Uses({ used }: { used: Used }) {
  const { cpu, memory, network, tokens, hint } = usedWords(used);
  return <span class="muted" title={hint}>{[cpu, memory, network, tokens].filter((part) => part !== null).join(" · ")}</span>;
}

function WaitItem({ line }: { line: WaitLine }) {
  const waited = Number.isNaN(line.from) ? null : (line.to ?? now.value) - line.from;
  return (
    <li class={`attempt-wait${line.to === null ? " attempt-waits" : ""}`}>
      <span class="attempt-mark">{line.to === null && <StatusMark status="waiting" size={14} />}</span>
      <p class="small">
        {line.words}
        {waited !== null && <span> · {line.to === null ? clock(waited) : duration(waited)}</span>}
        {line.until !== null && line.until > now.value && <span title={exactTime(line.until)}> · {clock(line.until - now.value)} left</span>}
      </p>
    </li>
  );
}
