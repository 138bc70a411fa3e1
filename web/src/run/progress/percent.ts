import type { State, StepProgress, StepState } from "../../api/types";

/** How far an attempt is, 0 to 100; null when it does not say. */
export function percentOf(progress: StepProgress | null | undefined): number | null {
  if (!progress) return null;
  if (typeof progress.percent === "number") return within(progress.percent);
  const { items, phases, active_phase: active } = progress;
  if (progress.type === "multi_phase" && phases && phases.length > 0 && typeof active === "number") {
    return within((100 * active + (phases[active]?.percent ?? 0)) / phases.length);
  }
  if (progress.type === "checklist" && items && items.length > 0) {
    const done = items.reduce((sum, item) => sum + (isOver(item.state) ? 100 : (item.percent ?? 0)), 0);
    return within(done / items.length);
  }
  return null;
}

/** How far a step is: what is over is all there; what has not begun is nothing yet. */
export function stepPercent(step: StepState): number | null {
  if (step.status === "completed" || step.status === "skipped") return 100;
  return step.status === "in_progress" ? percentOf(step.progress) : 0;
}

/** How far the whole run is: steps that are done, and their share for those in hand. Full only when it completed. */
export function runPercent(state: State): number {
  const total = Math.max(1, state.counts.total);
  const done = state.counts.completed + state.counts.skipped;
  const inHand = state.steps.reduce((sum, step) => sum + (step.status === "in_progress" ? (percentOf(step.progress) ?? 0) / 100 : 0), 0);
  const percent = (100 * (done + inHand)) / total;
  return state.status === "completed" ? 100 : Math.min(percent, 99.9);
}

const isOver = (state: string): boolean => state === "completed" || state === "failed";
const within = (percent: number): number => Math.min(100, Math.max(0, percent));
