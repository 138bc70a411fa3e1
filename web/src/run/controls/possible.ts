// Which controls are possible, and why not. The server decides; this only says so beforehand.
import type { State, StepState } from "../../api/types";

export type RunControl = "stop" | "pause" | "resume" | "retry" | "restart" | "template" | "archive";
export type StepControl = "answer" | "retry_from" | "skip" | "fork" | "alone";
export type Control = RunControl | StepControl;

/** Why a control is off; null when it is possible. */
export type Reason = string | null;

/** `whyNot`: why this person may not, whatever the state. */
export function runReason(control: RunControl, state: State, whyNot: Reason): Reason {
  if (whyNot !== null) return whyNot;
  switch (control) {
    case "stop":
      return !state.active ? "It has ended." : state.stopping ? "It is already stopping." : null;
    case "pause":
      return !state.active ? "It has ended." : state.stopping ? "It is stopping." : state.status === "paused" ? "It is paused." : null;
    case "resume":
      return state.stopping ? "It is stopping." : state.status === "paused" ? null : "It is not paused.";
    case "retry":
      return state.active ? "It still goes on." : state.status === "completed" ? "Nothing failed." : null;
    case "restart":
      return state.active && state.ssh ? "Its host is in use by this run." : null;
    case "archive":
      return state.active ? "Only a run that has ended can be archived." : null;
    case "template":
      return null;
  }
}

/** The controls to show as buttons, the likely one first. */
export function likely(state: State): RunControl[] {
  if (state.active && state.status === "paused" && !state.stopping) return ["resume", "stop"];
  if (state.active) return ["stop"];
  return state.status === "completed" ? ["restart"] : ["retry", "restart"];
}

/** The others, for the menu, in a fixed order so that they are found again. */
export function others(state: State): RunControl[] {
  const shown = likely(state);
  const all: RunControl[] = ["stop", state.status === "paused" ? "resume" : "pause", "retry", "restart", "template", "archive"];
  return all.filter((control) => !shown.includes(control));
}

export function stepReason(control: StepControl, step: StepState, state: State, whyNot: Reason): Reason {
  if (whyNot !== null) return whyNot;
  switch (control) {
    case "answer":
      if (!state.active || state.stopping) return "The run does not go on.";
      return step.waiting_for === "signal" ? null : "It does not wait for an answer.";
    case "retry_from":
      if (state.active) return "Possible once the run has ended or is stopped.";
      return null;
    case "skip":
      if (state.stopping) return "The run is stopping.";
      if (state.active) {
        return step.status === "pending" ? null : step.status === "in_progress" ? "It runs already: stop the run first." : `It is ${step.status}.`;
      }
      if (state.status === "completed") return "The run is completed.";
      return step.status === "failed" || step.status === "cancelled" ? null : `It is ${step.status}.`;
    case "fork":
      if (typeof step.made_by === "number") return "Another step made it: fork from that one.";
      return state.active && state.ssh ? "Its host is in use by this run." : null;
    case "alone":
      return state.active && state.ssh ? "Its host is in use by this run." : null;
  }
}

/** What a retry from a step runs again. */
export interface Again {
  steps: StepState[];
  kept: number;
  /** False: only part of the run is known here, so there may be more. */
  whole: boolean;
}

/**
 * The steps that run again with `key` (null: all that failed): it, what depends on it, and all that was not done.
 * `only`: what a fork runs again, which is just what stands behind the step.
 */
export function runsAgain(state: State, key: string | null, only: "retry" | "fork" = "retry"): Again {
  const again = new Set<string>();
  for (const step of state.steps) {
    const open = only === "retry" && step.status !== "completed" && step.status !== "skipped";
    if (step.key === key || open || step.needs.some((need) => again.has(need))) again.add(step.key);
  }
  const steps = state.steps.filter((step) => again.has(step.key));
  const done = state.steps.filter((step) => step.status === "completed" && !again.has(step.key)).length;
  return {
    steps,
    kept: state.steps_truncated ? Math.max(0, state.counts.completed - steps.filter((step) => step.status === "completed").length) : done,
    whole: !state.steps_truncated && state.steps.every((step) => step.needs.length >= step.needs_total),
  };
}
