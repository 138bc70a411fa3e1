// What a row says about time and about the step in hand.
import type { RunShown } from "../api/types";
import { clock, duration } from "../format/durations";
import { resource } from "../format/resources";
import { STATUSES, WAITS, type Tone } from "../theme/statuses";

/** How long ago, as short as it can be: `8 s`, `4 min`, `3 h`, `12 d`. */
export function age(at: string, nowMs: number): string {
  const s = Math.max(0, Math.floor((nowMs - new Date(at).getTime()) / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

/** How long it took, or has taken so far. */
export function took(run: Pick<RunShown, "duration_ms" | "start_time" | "active">, nowMs: number): string {
  if (!run.active) return run.duration_ms === null ? "" : duration(run.duration_ms);
  return clock(Math.max(0, nowMs - new Date(run.start_time).getTime()));
}

export interface Line {
  /** The step, empty where the run as a whole is meant. */
  label: string;
  /** What it does, waits for, or why it failed. */
  words: string;
  tone: Tone | null;
  /** It waits: a clock stands before it. */
  waits: boolean;
}

/** One line: what the run is at, or how it ended. */
export function lineOf(run: RunShown, nowMs: number): Line {
  const step = run.step ?? null;
  const label = step?.label ?? "";
  const line = (words: string, tone: Tone | null = null, waits = false): Line => ({ label, words, tone, waits });
  if (run.status === "failed") {
    const at = run.error?.step ?? "";
    return { label: at === "" || step?.key === at ? label : at, words: firstLine(run.error?.message) || "failed", tone: "red", waits: false };
  }
  if (run.status === "cancelled") return { label: "", words: stoppedAt(run), tone: null, waits: false };
  if (run.status === "completed") return { label: "", words: leftOut(run), tone: null, waits: false };
  if (run.stopping) return line("stopping", STATUSES.stopping.tone);
  if (run.status === "paused") return line(step?.status === "in_progress" ? "is ending, then paused" : "paused before it", null);
  if (step === null) return line("");
  if (step.waiting_for) return line(waitWords(step.waiting_for, step.waiting_on ?? null, step.until, nowMs), STATUSES.waiting.tone, true);
  if (step.status === "in_progress") return line(step.percent === null ? "" : `${Math.floor(step.percent)} %`);
  if (step.status === "pending") return line("waits for a free worker");
  return line("");
}

type Reason = NonNullable<RunShown["step"]>["waiting_for"] & string;

function waitWords(reason: Reason, on: string | null, until: string | null, nowMs: number): string {
  const leftMs = until === null ? null : new Date(until).getTime() - nowMs;
  const at = leftMs === null ? "" : leftMs <= 0 ? " now" : ` in ${clock(leftMs + 999)}`;
  if (reason === "retry" && on !== null) return `retries of ${resource(on).name} are spread, retry${at}`;
  if (reason === "retry") return at === "" ? "will be tried again" : `retry${at}`;
  if (reason === "delay") return at === "" ? `waits for ${WAITS.delay}` : `begins${at}`;
  return `waits for ${awaited(reason, on)}${leftMs !== null && leftMs > 0 ? `, ${clock(leftMs + 999)}` : ""}`;
}

/** What is waited for, by name where it has one: `the lock file:/x`. */
function awaited(reason: Reason, on: string | null): string {
  const { kind, name } = resource(on ?? "");
  switch (kind) {
    case "lock": return `the lock ${name}`;
    case "place at": return `a place at ${name}`;
    case "rate limit": return `the rate limit ${name}`;
    case "breaker": return `the circuit breaker of ${name}`;
    case "load of": return `the load of ${name} to go down`;
    default: return WAITS[reason];
  }
}

function stoppedAt(run: RunShown): string {
  const done = run.counts.completed + run.counts.skipped;
  return done === 0 ? "stopped before the first step was done" : `stopped after ${done} of ${steps(run.total_steps)}`;
}

function leftOut(run: RunShown): string {
  const parts = [
    ...(run.counts.skipped > 0 ? [`${run.counts.skipped} skipped`] : []),
    ...(run.counts.failed > 0 ? [`${run.counts.failed} failed`] : []),
  ];
  return parts.length > 0 ? parts.join(", ") : "";
}

const firstLine = (text: string | undefined): string => (text ?? "").trim().split("\n", 1)[0]!;
const steps = (count: number): string => (count === 1 ? "1 step" : `${count} steps`);

/** `3 of 8 steps`, for those who hear it. */
export const doneWords = (run: RunShown): string => `${run.counts.completed + run.counts.skipped} of ${steps(run.total_steps)}`;

/** `24 hours`, `40 minutes`: a span of counting, rounded down. */
export function spanWords(s: number): string {
  if (s >= 3600) return Math.floor(s / 3600) === 1 ? "hour" : `${Math.floor(s / 3600)} hours`;
  if (s >= 60) return Math.floor(s / 60) === 1 ? "minute" : `${Math.floor(s / 60)} minutes`;
  return `${Math.max(1, Math.floor(s))} seconds`;
}
