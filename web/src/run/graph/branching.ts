import type { StepState } from "../../api/types";

/** Whether a run is more than a list: some step needs something else than exactly the one before it. */
export function isBranching(steps: readonly Pick<StepState, "index" | "key" | "needs" | "needs_total">[]): boolean {
  return steps.some((step, at) => {
    const before = steps[at - 1];
    // At the edge of a long run's window the step before is not known.
    if (!before || before.index !== step.index - 1) return step.index === 0 ? step.needs.length > 0 : step.needs_total !== 1;
    return step.needs_total > 1 || step.needs.length !== 1 || step.needs[0] !== before.key;
  });
}
