// The only map of statuses to words, marks and tones; colour is never the only sign. See `StatusMark` for how marks look.
import type { RunStatus, State, StepState, StepStatus, WaitReason } from "../api/types";

export type Status = RunStatus | StepStatus | "stopping";
export type Mark = "ring" | "ring-dot" | "ring-fill" | "clock" | "bars" | "square-ring" | "tick" | "cross" | "dash" | "square";
export type Tone = "grey" | "strong" | "accent" | "amber" | "violet" | "green" | "red";

export interface StatusLook {
  word: string;
  mark: Mark;
  tone: Tone;
}

export const STATUSES: Record<Status, StatusLook> = {
  pending: { word: "pending", mark: "ring", tone: "grey" },
  ready: { word: "ready", mark: "ring-dot", tone: "strong" },
  in_progress: { word: "in progress", mark: "ring-fill", tone: "accent" },
  running: { word: "running", mark: "ring-fill", tone: "accent" },
  waiting: { word: "waiting", mark: "clock", tone: "amber" },
  paused: { word: "paused", mark: "bars", tone: "amber" },
  cancelling: { word: "stopping", mark: "square-ring", tone: "violet" },
  stopping: { word: "stopping", mark: "square-ring", tone: "violet" },
  completed: { word: "completed", mark: "tick", tone: "green" },
  failed: { word: "failed", mark: "cross", tone: "red" },
  skipped: { word: "skipped", mark: "dash", tone: "grey" },
  cancelled: { word: "cancelled", mark: "square", tone: "violet" },
};

/** A run's status as it is shown. */
export function shownRunStatus(run: Pick<State, "status"> & { stopping?: boolean }): Status {
  return run.stopping && run.status === "running" ? "stopping" : run.status;
}

/** A step's status as it is shown: the wire says `pending` for what is ready or waits. */
export function shownStepStatus(step: Pick<StepState, "status" | "ready" | "waiting_for" | "stopping">): Status {
  if (step.status === "pending" && step.waiting_for) return "waiting";
  if (step.status === "pending" && step.ready) return "ready";
  if (step.status === "in_progress" && step.stopping) return "stopping";
  return step.status;
}

/** What a step waits for, in words: "waits for ...". */
export const WAITS: Record<WaitReason, string> = {
  retry: "retry",
  delay: "its delay",
  lock: "a lock",
  rate_limit: "the rate limit",
  breaker: "the circuit breaker",
  throttled: "load to go down",
  signal: "an answer",
};
