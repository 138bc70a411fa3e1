// What is known of a run while it is watched: the state, and which parts of it are newer than the document it came with.
import type { Counts, State, StepState } from "../api/types";
import { share } from "./share";

export interface View {
  readonly state: State;
  /** The last place of the stream that was taken in; null: not known. */
  readonly position: string | null;
  /** Version, time and place of the document below the state. */
  readonly floor: number;
  readonly floorTime: string;
  readonly floorPosition: string | null;
  /** Of the last event or summary that told the run; at least `floor`. */
  readonly runVersion: number;
  /** Steps that were told since the document, by index, with the version they are of. */
  readonly stepVersions: ReadonlyMap<number, number>;
  /** When events told how far a step is, by index. */
  readonly progressAt: ReadonlyMap<number, number>;
  /** How many steps were told by each of the latest changes, by version. */
  readonly recent: ReadonlyMap<number, number>;
  /** Progress up to this place is a replay: the document below is newer. */
  readonly replayTo: string | null;
}

/** Where the step of this index stands in the list, which is in order; -1: outside of the window. */
export function placeOfStep(steps: readonly StepState[], index: number): number {
  if (steps[index]?.index === index) return index;
  let low = 0;
  let high = steps.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = steps[middle]!.index;
    if (found === index) return middle;
    if (found < index) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** The step in hand as the server finds it: in progress, else next; what it was when neither is there. */
export function stepInHand(steps: readonly StepState[], before: number | null | undefined): number | null {
  let next: StepState | null = null;
  for (const step of steps) {
    if (step.status === "in_progress") return step.index;
    if (next === null && step.status === "pending" && (step.ready || step.waiting_for)) next = step;
  }
  return next?.index ?? before ?? null;
}

/** The same with what is left over as `pending`. */
export function withPending(counts: Counts): Counts {
  const rest = counts.total - counts.in_progress - counts.completed - counts.failed - counts.skipped - counts.cancelled;
  return counts.pending === Math.max(0, rest) ? counts : { ...counts, pending: Math.max(0, rest) };
}

/** `fresh`, made of what is equal in `old`; `old` itself when all is. Steps have been shared one by one: their places may differ. */
export function shareState(old: State, fresh: State): State {
  const same = old.steps.length === fresh.steps.length && fresh.steps.every((step, at) => step === old.steps[at]);
  const rest = share({ ...old, steps: null }, { ...fresh, steps: null });
  const names = Object.keys(fresh) as (keyof State)[];
  if (same && names.length === Object.keys(old).length && names.every((name) => name === "steps" || rest[name] === old[name])) return old;
  return { ...(rest as object), steps: same ? old.steps : fresh.steps } as State;
}
