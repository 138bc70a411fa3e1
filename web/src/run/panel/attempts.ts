// The attempts of a step with the waits between them.
import { bytes } from "../../format/bytes";
import { duration } from "../../format/durations";
import type { Attempt, ErrorShown, StepState, WaitReason } from "../../api/types";
import { waitsFor } from "../steps/waitsFor";
import type { Status } from "../../theme/statuses";

export type Used = NonNullable<Attempt["resources"]>;

export interface AttemptLine {
  kind: "attempt";
  attempt: number;
  status: Status;
  words: string;
  worker: string | null;
  start: number | null;
  /** Null: it goes on. */
  end: number | null;
  error: ErrorShown | null;
  /** What it used: `1.2 s of CPU, 80.4 MB at most`; null where that was not told. */
  used: Used | null;
}

export interface WaitLine {
  kind: "wait";
  /** What it waits or waited for, in words. */
  words: string;
  /** The same in a word or two; "" when it is not known. */
  short: string;
  /** What made it wait, in the server's words, where there are any. */
  why: string | null;
  from: number;
  /** Null: it waits still. */
  to: number | null;
  /** When a wait that goes on will end, if that is known. */
  until: number | null;
}

const OUTCOMES: Record<Attempt["outcome"], { status: Status; words: string }> = {
  completed: { status: "completed", words: "completed" },
  failed: { status: "failed", words: "failed" },
  skipped: { status: "skipped", words: "skipped" },
  cancelled: { status: "cancelled", words: "stopped" },
  waiting: { status: "waiting", words: "put off" },
  lost: { status: "failed", words: "worker lost" },
  handed_back: { status: "ready", words: "handed back by its worker" },
};

const NOW_WAITS: Record<WaitReason, string> = {
  retry: "waits to try again",
  delay: "waits out its delay",
  lock: "waits for a lock that somebody else holds",
  rate_limit: "waits for the rate limit",
  breaker: "waits for the circuit breaker to close",
  throttled: "waits for the load to go down",
  signal: "waits for an answer",
};

const SHORT: Record<WaitReason, string> = {
  retry: "retry", delay: "delay", lock: "lock", rate_limit: "rate limit", breaker: "circuit breaker", throttled: "load", signal: "answer",
};

export const outcomeLook = (outcome: Attempt["outcome"]) => OUTCOMES[outcome];
/** By the name of what it waits for, where that is known. */
const nowWaits = (step: StepState, reason: WaitReason): string => {
  const named = step.waiting_on || step.why ? waitsFor(step) : null;
  return named === null || reason === "retry" ? NOW_WAITS[reason] : named;
};

/** What an attempt used, in words, and what they leave out. */
export function usedWords(used: Used): { cpu: string; memory: string; network: string | null; tokens: string | null; hint: string } {
  const { sent_bytes: sent, received_bytes: received, prompt_tokens: read, completion_tokens: wrote } = used;
  return {
    tokens: read == null || wrote == null ? null : `${read} tokens read, ${wrote} written`,
    network: sent == null || received == null ? null : `${bytes(sent)} sent, ${bytes(received)} received`,
    cpu: `${duration(used.cpu_s * 1000)} CPU`, memory: `${used.estimated ? "about " : ""}${bytes(used.peak_memory_bytes)}`,
    hint: used.of === "process"
      ? "Processor time with that of the programs it ran, and the most memory its process had."
      : "Processor time of its thread alone; others ran in the same process, whose memory is an estimate.",
  };
}

export const waitWords = (reason: WaitReason): string => NOW_WAITS[reason];

/** The same in a word or two. */
export function waitedShort(outcome: Attempt["outcome"]): string {
  switch (outcome) {
    case "failed": return "retry";
    case "waiting": return "turn";
    case "lost": case "handed_back": return "worker";
    default: return "";
  }
}

/** Why nothing ran between one attempt and the next, as far as the end of the first one tells. */
export function waitedAfter(outcome: Attempt["outcome"]): string {
  switch (outcome) {
    case "failed": return "waited to try again";
    case "waiting": return "waited for its turn";
    case "lost": case "handed_back": return "waited for another worker";
    default: return "until it was run again";
  }
}

const ms = (time: string | null | undefined): number | null => (time ? Date.parse(time) : null);

/** What is known of a step's attempts; `worker` has the attempt of this number. */
export interface Attempts {
  attempts: readonly Attempt[];
  attempt?: number;
  worker?: string | null;
}

/** Attempts and waits in order. `step` is newer than `whole`; it tells what goes on now. */
export function attemptLines(whole: Attempts, step: StepState): (AttemptLine | WaitLine)[] {
  const lines: (AttemptLine | WaitLine)[] = [];
  const ended = withLast([...whole.attempts].sort((one, other) => one.attempt - other.attempt), step);
  const running = step.status === "in_progress" && !ended.some((one) => one.attempt === step.attempt);
  ended.forEach((one, at) => {
    const { status, words } = OUTCOMES[one.outcome];
    lines.push({
      kind: "attempt", attempt: one.attempt, status, words: one.attempt === 0 ? "kept from the run this one was forked from" : words,
      worker: one.worker, start: ms(one.start_time), end: ms(one.end_time), error: one.error, used: one.resources ?? null,
    });
    const from = Date.parse(one.end_time);
    const next = ended[at + 1] ? ms(ended[at + 1]!.start_time) : running ? ms(step.start_time) : null;
    if (next !== null && next - from >= 1) lines.push({ kind: "wait", words: waitedAfter(one.outcome), short: waitedShort(one.outcome), why: one.error?.message ?? null, from, to: next, until: null });
  });
  if (running) {
    lines.push({
      kind: "attempt", attempt: step.attempt, status: step.stopping ? "stopping" : "in_progress", words: step.stopping ? "stopping" : "in progress",
      worker: whole.attempt === step.attempt ? whole.worker ?? null : null, start: ms(step.start_time), end: null, error: null, used: null,
    });
  }
  if (step.status === "pending" && (step.waiting_for || step.ready)) {
    const last = ended[ended.length - 1];
    lines.push({
      kind: "wait", words: step.waiting_for ? nowWaits(step, step.waiting_for) : "waits for a free worker", short: step.waiting_for ? SHORT[step.waiting_for] : "worker",
      why: step.error?.message ?? last?.error?.message ?? null,
      from: last ? Date.parse(last.end_time) : NaN, to: null, until: ms(step.until),
    });
  }
  return lines;
}

/** The attempts with the one that just ended, which the step tells before its attempts are read again. */
function withLast(ended: Attempt[], step: StepState): Attempt[] {
  if (step.status === "in_progress" || step.status === "pending" || !step.end_time || !step.start_time || step.attempt === 0) return ended;
  if (ended.some((one) => one.attempt === step.attempt)) return ended;
  return [...ended, {
    attempt: step.attempt, outcome: step.status, worker: null, start_time: step.start_time, end_time: step.end_time,
    duration_ms: step.duration_ms ?? null, resources: null, error: step.error ?? null,
  }];
}
