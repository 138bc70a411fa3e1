// What each control is called, and what it will do: said before it is done.
import type { State, StepState } from "../../api/types";
import { counted } from "../../format/counts";
import { titleOf } from "../steps/secondLine";
import { type Again, type Control, runsAgain } from "./possible";

export const LABELS: Record<Control, string> = {
  stop: "Stop run",
  pause: "Pause",
  resume: "Resume",
  retry: "Retry from the failed step",
  restart: "Restart",
  template: "Save as template",
  archive: "Archive",
  answer: "Answer",
  retry_from: "Retry from here",
  skip: "Skip",
  fork: "Fork from here",
  alone: "Run this step alone",
};

export const KEYS: Partial<Record<Control, string>> = {
  stop: "s", pause: "p", resume: "p", retry: "r", restart: "R", answer: "a", skip: "x", fork: "f", alone: "o",
};

/** A button of a control that was sent and has no answer yet. */
export const SENDING = "Sent…";

/** The retry of a run that was stopped has no failed step. */
export function labelOf(control: Control, state: State): string {
  if (control === "retry" && state.status === "cancelled") return "Retry from where it stopped";
  return LABELS[control];
}

/** What stopping does, in sentences. */
export function stopWords(state: State): string[] {
  const busy = state.steps.filter((step) => step.status === "in_progress");
  const open = state.counts.pending;
  const first = busy.length === 0 && state.counts.in_progress === 0 ? null
    : busy.length === 1 ? `${titleOf(busy[0]!)} is asked to stop.`
    : `${counted(state.counts.in_progress, "step is", "steps are")} asked to stop.`;
  const second = open === 0 ? null : `${counted(open, "step that has not begun is cancelled", "steps that have not begun are cancelled")}.`;
  return [first, second, `${kept(state.counts.completed)} A retry goes on from there.`].filter((part) => part !== null);
}

/** What a retry does; `key` null: from all that failed. */
export function retryWords(state: State, key: string | null): string[] {
  const again = runsAgain(state, key);
  return [`${againWords(again)} in this same run.`, kept(again.kept)];
}

export function forkWords(state: State, key: string): string[] {
  const again = runsAgain(state, key, "fork");
  const rest = state.steps.filter((step) => step.status !== "completed" && !again.steps.includes(step)).length;
  return [
    `A new run begins. ${againWords(again)} in it.`,
    again.kept > 0 ? `It keeps ${counted(again.kept, "result", "results")} of this one.` : "It keeps no result of this one.",
    rest > 0 ? `${counted(rest, "other step that is not completed here runs", "other steps that are not completed here run")} in it too.` : "",
    "This run stays as it is.",
  ].filter((part) => part !== "");
}

export function skipWords(state: State, step: StepState): string[] {
  const behind = state.steps.filter((one) => one.needs.includes(step.key)).length;
  const on = behind === 0 ? "Nothing else needs it." : `${counted(behind, "step that needs it goes", "steps that need it go")} on without its result.`;
  return state.active ? [`${titleOf(step)} is not run.`, on] : [`${titleOf(step)} is left as skipped and the run goes on behind it.`, on];
}

export function restartWords(state: State): string[] {
  const all = counted(state.total_steps, "step runs", "steps run");
  return [`A new run begins with the same workflow and parameters: ${all} from the beginning.`, "This run stays as it is."];
}

export function archiveWords(): string[] {
  return ["It is no longer shown as the current run. Nothing is deleted: it stays in the list of runs."];
}

function againWords(again: Again): string {
  const names = again.steps.slice(0, 4).map(titleOf).join(", ");
  const more = again.steps.length - 4;
  const list = more > 0 ? `${names} and ${more} more` : names;
  const run = again.steps.length === 1 ? "runs" : "run";
  return again.whole ? `${list} ${run} again` : `${list} and what depends on it run again`;
}

const kept = (count: number): string =>
  count === 0 ? "No step was completed before." : `${counted(count, "result of a completed step is", "results of completed steps are")} kept.`;
