// How far steps are is told many times a second; all else changes rarely.
import type { State, StepState } from "../api/types";

/** What alone is no other state: places and times of the document itself. */
const ASIDE: ReadonlySet<string> = new Set<keyof State>(["steps", "version", "position", "last_update"]);

/**
 * Whether two states of a run differ in nothing but how far the steps in progress are. For states that share what is equal (see
 * `share`): parts are compared by `===`.
 */
export function sameButProgress(before: State, after: State): boolean {
  if (before === after) return true;
  if (before.steps.length !== after.steps.length || !alike(before, after, ASIDE)) return false;
  return before.steps === after.steps || before.steps.every((step, at) => sameStep(step, after.steps[at]!));
}

const PROGRESS: ReadonlySet<string> = new Set<keyof StepState>(["progress"]);
const NOTHING: ReadonlySet<string> = new Set();

function sameStep(before: StepState, after: StepState): boolean {
  // What a step says that waits is a question, not how far it is.
  return before === after || alike(before, after, before.status === "in_progress" ? PROGRESS : NOTHING);
}

function alike(before: object, after: object, aside: ReadonlySet<string>): boolean {
  const [one, other] = [before as Record<string, unknown>, after as Record<string, unknown>];
  const names = Object.keys(other);
  return names.length === Object.keys(one).length && names.every((name) => aside.has(name) || (name in one && one[name] === other[name]));
}
