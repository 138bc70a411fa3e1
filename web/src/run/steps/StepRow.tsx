import type { State, StepState } from "../../api/types";
import { duration } from "../../format/durations";
import { StatusMark } from "../../parts/StatusMark";
import { paths, type StepTab } from "../../router";
import { whyNotOperator } from "../../session";
import { shownStepStatus, STATUSES } from "../../theme/statuses";
import { isNested, ProgressView } from "../progress/ProgressView";
import { stepPercent } from "../progress/percent";
import { kept } from "./kept";
import { type Line, secondLine, titleOf } from "./secondLine";
import { StepFault } from "./StepFault";
import { Countdown, Elapsed } from "./Ticking";

/** What a row's buttons do; the same object every time, so that rows are kept. */
export interface RowActions {
  answer(key: string): void;
  retryFrom(key: string): void;
  skip(key: string): void;
}

export interface RowProps {
  step: StepState;
  runId: string;
  runStatus: State["status"];
  /** The titles of what it still needs. */
  needs: string;
  /** The title of the step that added it, null when it was part of the workflow. */
  madeBy: string | null;
  tab: StepTab;
  open: boolean;
  marked: boolean;
  last: boolean;
  actions: RowActions;
}

/** One step: mark, number, title, time; below it what there is to say; under it items and phases; and the arrow to the next. */
export const StepRow = kept(function StepRow(props: RowProps) {
  const { step, runId, runStatus, open, marked, last, actions } = props;
  const status = shownStepStatus(step);
  const percent = stepPercent(step);
  const { text, tone, untilMs, due, after } = secondLine(step, { runStatus, needs: props.needs });
  const done = step.status === "completed";
  return (
    <div class={`step-row step-row-${status}${open ? " step-row-open" : ""}${marked ? " step-row-marked" : ""}`}>
      <div class="step-row-rail" aria-hidden="true">
        <StatusMark status={status} percent={step.status === "in_progress" ? percent : null} />
        {!last && <Arrow percent={percent ?? 0} tone={step.status === "skipped" ? "grey" : done ? "green" : "accent"} />}
      </div>
      <div class="step-row-body">
        <div class="step-row-head">
          <a class="step-row-link" href={paths.step(runId, step.key, props.tab)} aria-current={open ? "true" : undefined}>
            <span class="step-row-number">{step.index + 1}</span>
            <span class="step-row-title truncate">{titleOf(step)}</span>
            <span class="sr-only">, {STATUSES[status].word}</span>
          </a>
          <span class="step-row-action mono truncate" title={`${step.action} · key ${step.key}`}>{step.action}</span>
          {props.madeBy !== null && <span class="tag step-row-made" title={`Added while the run went on, by ${props.madeBy}`}>by {props.madeBy}</span>}
          <span class="step-row-time">{timeOf(step)}</span>
        </div>
        <div class="step-row-second">
          <SecondLine line={{ text, tone, untilMs, due, after }} />
          {status === "in_progress" && percent !== null && <span class="step-row-percent">{Math.round(percent)} %</span>}
          {step.waiting_for === "signal" && <Answer answer={() => actions.answer(step.key)} />}
        </div>
        {step.status === "failed" && <StepFault step={step} runId={runId} runStatus={runStatus} actions={actions} />}
        {tellsParts(step) && isNested(step.progress) && <ProgressView progress={step.progress} />}
      </div>
    </div>
  );
});

/** By itself, so that rows without it are not drawn again when the role is known. */
function Answer({ answer }: { answer: () => void }) {
  const why = whyNotOperator.value;
  return (
    <button type="button" class="button primary step-row-answer" disabled={why !== null} title={why ?? undefined} onClick={answer}>Answer</button>
  );
}

function SecondLine({ line }: { line: Line }) {
  const { text, tone, untilMs, due, after } = line;
  const whole = [text, ...after].join(" · ");
  return (
    <p class={`step-row-line truncate step-row-line-${tone}`} title={whole.length > 60 ? whole : undefined}>
      {untilMs === null ? text : <Countdown untilMs={untilMs} before={text} due={due} />}
      {after.map((part) => ` · ${part}`).join("")}
    </p>
  );
}

/** Parts are of the attempt in hand, or of the last one where it failed or was stopped: a result says it better, a retry begins anew. */
const tellsParts = (step: StepState): boolean =>
  step.status === "in_progress" || step.status === "failed" || step.status === "cancelled" || step.waiting_for === "signal";

function timeOf(step: StepState) {
  if (step.status === "in_progress" && step.start_time) return <Elapsed since={step.start_time} />;
  return typeof step.duration_ms === "number" ? duration(step.duration_ms) : null;
}

/** From one step to the next; fills with how far the step is. */
function Arrow({ percent, tone }: { percent: number; tone: "green" | "accent" | "grey" }) {
  return (
    <span class={`step-arrow tone-${tone}${percent >= 100 ? " step-arrow-full" : ""}`}>
      <span class="step-arrow-fill" style={{ transform: `scaleY(${percent / 100})` }} />
    </span>
  );
}
