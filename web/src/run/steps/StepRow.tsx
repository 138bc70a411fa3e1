import type { State, StepState } from "../../api/types";
import { duration } from "../../format/durations";
import { useJump } from "../../parts/jump";
import { kept } from "../../parts/kept";
import { StatusMark } from "../../parts/StatusMark";
import { paths, type StepTab } from "../../router";
import { whyNotOperator } from "../../session";
import { shownStepStatus, type Status, STATUSES } from "../../theme/statuses";
import { isNested, ProgressView } from "../progress/ProgressView";
import { stepPercent } from "../progress/percent";
import { type Line, secondLine, titleOf } from "./secondLine";
import { heldBy } from "./waitsFor";
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

/**
 * One step: mark, number, title, time; below it what there is to say; under it items and phases; and the arrow to the next. Its
 * parts are kept by themselves: how far a step is changes often, the rest of its row rarely.
 */
export const StepRow = kept(function StepRow(props: RowProps) {
  const { step, runId, runStatus, open, marked, last, actions } = props;
  const status = shownStepStatus(step);
  const exact = stepPercent(step);
  const percent = exact === null ? null : Math.round(exact);
  const { text, tone, untilMs, due, after } = secondLine(step, { runStatus, needs: props.needs });
  return (
    <div class={`step-row step-row-${status}${open ? " step-row-open" : ""}${marked ? " step-row-marked" : ""}`}>
      <Rail status={status} percent={percent} busy={step.status === "in_progress"} last={last} />
      <div class="step-row-body">
        <Head
          href={paths.step(runId, step.key, props.tab)} open={open} number={step.index + 1} title={titleOf(step)} word={STATUSES[status].word}
          action={step.action} stepKey={step.key} madeBy={props.madeBy}
          since={step.status === "in_progress" ? (step.start_time ?? null) : null} tookMs={step.duration_ms ?? null}
        />
        <div class="step-row-second">
          <SecondLine text={text} tone={tone} untilMs={untilMs} due={due} after={after.map((part) => ` · ${part}`).join("")} {...holding(step, runId)} />
          {status === "in_progress" && percent !== null && <span class="step-row-percent">{percent} %</span>}
          {step.waiting_for === "signal" && <Answer answer={() => actions.answer(step.key)} />}
        </div>
        {step.status === "failed" && <StepFault step={step} runId={runId} runStatus={runStatus} actions={actions} />}
        {tellsParts(step) && isNested(step.progress) && <ProgressView progress={step.progress} />}
      </div>
    </div>
  );
});

/** The mark and the arrow. `percent` is whole: less is not seen on either. */
const Rail = kept(function Rail({ status, percent, busy, last }: { status: Status; percent: number | null; busy: boolean; last: boolean }) {
  return (
    <div class="step-row-rail" aria-hidden="true">
      <StatusMark status={status} percent={busy ? percent : null} />
      {!last && <Arrow percent={percent ?? 0} tone={status === "skipped" ? "grey" : status === "completed" ? "green" : "accent"} />}
    </div>
  );
});

interface HeadProps {
  href: string;
  open: boolean;
  number: number;
  title: string;
  word: string;
  action: string;
  stepKey: string;
  madeBy: string | null;
  /** When the attempt under way began; null while there is none. */
  since: string | null;
  tookMs: number | null;
}

const Head = kept(function Head({ href, open, number, title, word, action, stepKey, madeBy, since, tookMs }: HeadProps) {
  return (
    <div class="step-row-head">
      <a class="step-row-link" href={href} aria-current={open ? "true" : undefined}>
        <span class="step-row-number">{number}</span>
        <span class="step-row-title truncate">{title}</span>
        <span class="sr-only">, {word}</span>
      </a>
      <span class="step-row-action mono truncate" title={`${action} · key ${stepKey}`}>{action}</span>
      {madeBy !== null && <span class="tag step-row-made" title={`Added while the run went on, by ${madeBy}`}>by {madeBy}</span>}
      <span class="step-row-time">{since !== null ? <Elapsed since={since} /> : tookMs !== null ? duration(tookMs) : null}</span>
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

interface Holding {
  /** Who holds what it waits for; null where nobody does, or nobody knows. */
  holderHref: string | null;
  holder: string;
  holderSince: string;
  holderMore: string;
}

/** The holder in plain parts, so that a row whose holder is the same is kept. */
function holding(step: StepState, runId: string): Holding {
  const by = heldBy(step);
  if (by === null) return { holderHref: null, holder: "", holderSince: "", holderMore: "" };
  return {
    holderHref: paths.step(by.runId, by.step), holder: by.runId === runId ? `step ${by.step} of this run` : `${by.runId} (step ${by.step})`, holderSince: by.since,
    holderMore: `${by.others > 0 ? ` and ${by.others} more` : ""}${by.forRun ? " · until its run ends" : ""}`,
  };
}

const SecondLine = kept(function SecondLine({ text, tone, untilMs, due, after, holderHref, holder, holderSince, holderMore }: Omit<Line, "after"> & Holding & { after: string }) {
  const whole = text + after;
  const title = holderHref !== null ? `${text}, held by ${holder}${holderMore}${after}` : whole.length > 60 ? whole : undefined;
  return (
    <p class={`step-row-line truncate step-row-line-${tone}`} title={title}>
      {untilMs === null ? text : <Countdown untilMs={untilMs} before={text} due={due} />}
      {holderHref !== null && <> · held by <a class="link step-row-holder" href={holderHref}>{holder}</a> for <Elapsed since={holderSince} />{holderMore}</>}
      {after}
    </p>
  );
});

/** Parts are of the attempt in hand, or of the last one where it failed or was stopped: a result says it better, a retry begins anew. */
const tellsParts = (step: StepState): boolean =>
  step.status === "in_progress" || step.status === "failed" || step.status === "cancelled" || step.waiting_for === "signal";

/** Below it, the arrow moves by a pixel at most. */
const GLIDES_FROM = 4;

/** From one step to the next; fills with how far the step is. */
function Arrow({ percent, tone }: { percent: number; tone: "green" | "accent" | "grey" }) {
  const glides = useJump(percent, GLIDES_FROM);
  return (
    <span class={`step-arrow tone-${tone}${percent >= 100 ? " step-arrow-full" : ""}`}>
      <span class={glides ? "step-arrow-fill step-arrow-glides" : "step-arrow-fill"} style={{ backgroundSize: `100% ${percent}%` }} />
    </span>
  );
}
