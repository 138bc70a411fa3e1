import { Problem } from "../../api/client";
import { duration } from "../../format/durations";
import { exactTime } from "../../format/times";
import type { RunFeed } from "../../live/feed";
import { now } from "../../now";
import { Boundary } from "../../parts/Boundary";
import { Failed } from "../../parts/Failed";
import { StatusBadge } from "../../parts/StatusMark";
import { paths, query, type StepTab } from "../../router";
import { shownStepStatus } from "../../theme/statuses";
import type { StepState, WholeStep } from "../../api/types";
import { LogView } from "../log/LogView";
import { TraceList } from "../trace/TraceList";
import { AttemptsTab } from "./AttemptsTab";
import { ParametersTab } from "./ParametersTab";
import { useStep } from "./reading";
import { ResultTab } from "./ResultTab";
import { Waits } from "./Waits";
import "./panel.css";

const TABS: readonly { tab: StepTab; label: string }[] = [
  { tab: "log", label: "Log" },
  { tab: "result", label: "Result" },
  { tab: "attempts", label: "Attempts" },
  { tab: "trace", label: "Trace" },
  { tab: "parameters", label: "Parameters" },
];

/** One step of a run: its log, result, attempts, trace and parameters. */
export default function StepPanel({ feed, step: key, tab }: { feed: RunFeed; step: string; tab: StepTab }) {
  const { live, whole, problem, retry } = useStep(feed, key);
  const step = live ?? whole;
  if (step === null) {
    if (problem instanceof Problem && problem.status === 404) {
      return <p class="empty">This run has no step {key}. <a class="link" href={paths.run(feed.runId)}>See its steps</a></p>;
    }
    if (problem !== null) return <Failed error={problem} retry={retry} />;
    return <div class="step-panel" aria-busy="true"><Skeleton /></div>;
  }
  return (
    <article class="step-panel" aria-label={`Step ${step.label}`}>
      <Head step={step} runId={feed.runId} />
      <nav class="tabs" aria-label="About this step">
        {TABS.map((one) => (
          <a key={one.tab} class="tab" href={paths.step(feed.runId, key, one.tab)} aria-current={one.tab === tab ? "page" : undefined}>
            {one.label}
            {one.tab === "attempts" && step.attempt > 1 && <span class="tab-count">{step.attempt}</span>}
          </a>
        ))}
      </nav>
      <div class="step-body">
        <Boundary what={TABS.find((one) => one.tab === tab)!.label} key={`${key} ${tab}`}>
          {body(tab, feed, step, whole, problem, retry)}
        </Boundary>
      </div>
    </article>
  );
}

function body(tab: StepTab, feed: RunFeed, step: StepState, whole: WholeStep | null, problem: unknown, retry: () => void) {
  if (tab === "log") return <StepLog feed={feed} step={step} whole={whole} />;
  if (tab === "trace") return <TraceList feed={feed} step={step.key} />;
  if (tab === "result") return <ResultTab runId={feed.runId} step={step} whole={whole} problem={problem} />;
  if (whole === null) return problem === null ? <Skeleton /> : <Failed error={problem} retry={retry} />;
  if (tab === "attempts") return <AttemptsTab runId={feed.runId} step={step} whole={whole} />;
  return <ParametersTab step={step} whole={whole} />;
}

function Head({ step, runId }: { step: StepState; runId: string }) {
  const progress = step.status === "in_progress" ? step.progress?.percent ?? null : null;
  return (
    <header class="step-head">
      <div class="step-title">
        <h2 class="truncate" title={step.label}>{step.label}</h2>
        <a class="button plain icon step-close" href={paths.run(runId)} aria-label="Close this step" title="Close (Esc)">×</a>
      </div>
      <p class="step-facts">
        <StatusBadge status={shownStepStatus(step)} percent={progress} />
        <Took step={step} />
        {step.attempt > 1 && <span>attempt {step.attempt}{step.max_attempts ? ` of ${Math.max(step.max_attempts, step.attempt)}` : ""}</span>}
        <code class="muted truncate" title={`Action ${step.action}, key ${step.key}`}>{step.action}</code>
      </p>
      {step.status === "pending" && step.waiting_for && step.waiting_for !== "signal" && <Waits step={step} runId={runId} />}
    </header>
  );
}

function Took({ step }: { step: StepState }) {
  if (!step.start_time) return null;
  const start = Date.parse(step.start_time);
  const took = step.duration_ms ?? (step.status === "in_progress" ? now.value - start : null);
  if (took === null) return null;
  const title = `${exactTime(start)}${step.end_time ? ` to ${exactTime(step.end_time)}` : ""}`;
  return <span title={title}>{duration(step.duration_ms === null || step.duration_ms === undefined ? Math.floor(Math.max(0, took) / 1000) * 1000 : took)}</span>;
}

function StepLog({ feed, step, whole }: { feed: RunFeed; step: StepState; whole: WholeStep | null }) {
  const chosen = attemptOf(query.value.get("attempt"), step.attempt);
  const attempt = chosen ?? step.attempt;
  if (step.attempt === 0) {
    return <p class="empty">{step.status === "pending" ? "This step has not begun." : "This step has not written anything."}</p>;
  }
  const current = attempt === step.attempt;
  const running = current && step.status === "in_progress";
  const outcome = whole?.attempts.find((one) => one.attempt === attempt)?.outcome;
  const badEnd = current ? !running && step.status !== "completed" : outcome !== undefined && outcome !== "completed";
  // Only the newest hundred are worth a choice.
  const attempts = Array.from({ length: Math.min(step.attempt, 100) }, (_, at) => step.attempt - at);
  return <LogView key={`${step.key} ${attempt}`} feed={feed} step={step.key} attempt={attempt} running={running} badEnd={badEnd} attempts={attempts} chosen={chosen} />;
}

function attemptOf(text: string | null, latest: number): number | null {
  const number = Number(text ?? "");
  return text !== null && Number.isInteger(number) && number >= 1 && number <= latest ? number : null;
}

function Skeleton() {
  return (
    <div class="step-skeleton" role="status" aria-label="Loading">
      {[40, 70, 55, 62].map((width) => <span key={width} class="skeleton" style={{ width: `${width}%` }} />)}
    </div>
  );
}
