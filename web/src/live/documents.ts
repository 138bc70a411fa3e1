// State documents into what is known. They come from three sides (read, polled, pushed), and any of them may be late.
import type { components } from "../api/schema.gen";
import type { Counts, State, StepState } from "../api/types";
import { share } from "./share";
import { placeOfStep, shareState, stepInHand, withPending, type View } from "./view";

/** What `workflow_progress` carries above 200 steps. */
export type Summary = components["schemas"]["Summary"];

/**
 * Workers store progress up to half a second after they told it. For so long after an event the event is believed, then the
 * document.
 */
const PROGRESS_HELD_MS = 3000;

/** The first document. */
export function begin(document: State): View {
  return {
    state: document, position: document.position ?? null, floor: document.version, floorTime: document.last_update,
    floorPosition: document.position ?? null, runVersion: document.version, stepVersions: new Map(), progressAt: new Map(),
    recent: new Map(), replayTo: null,
  };
}

/** The same before events are sent again from `position` on. */
export function beforeReplay(view: View): View {
  return { ...view, replayTo: view.floorPosition };
}

/** Whether a document is older than the one below what is shown. */
export function isOlder(view: View, document: State): boolean {
  return document.version < view.floor || (document.version === view.floor && document.last_update < view.floorTime);
}

/** Put a document below what events have told since: what they told with a higher version stays. Older ones change nothing. */
export function rebase(view: View, document: State, now: number): View {
  if (isOlder(view, document)) return view;
  const old = view.state;
  const version = document.version;
  let kept = false;
  const stepVersions = new Map<number, number>();
  const progressAt = new Map<number, number>();
  const steps = document.steps.map((fresh) => {
    const at = placeOfStep(old.steps, fresh.index);
    const shown = at < 0 ? undefined : old.steps[at];
    if (shown === undefined) return fresh;
    const told = view.stepVersions.get(fresh.index) ?? 0;
    const heldSince = view.progressAt.get(fresh.index);
    if (told > version) {
      kept = true;
      stepVersions.set(fresh.index, told);
      if (heldSince !== undefined) progressAt.set(fresh.index, heldSince);
      // Events carry no times: when an attempt began holds for as long as it is the same attempt.
      return shown.start_time || shown.attempt !== fresh.attempt ? shown : share(shown, { ...shown, start_time: fresh.start_time });
    }
    if (heldSince !== undefined && holds(shown, fresh, now - heldSince)) {
      progressAt.set(fresh.index, heldSince);
      return share(shown, { ...fresh, progress: shown.progress });
    }
    return share(shown, fresh);
  });
  const runKept = view.runVersion > version;
  let state: State = { ...document, steps, version: kept || runKept ? Math.max(old.version, version) : version };
  if (runKept) {
    const { status, stopping, active, total_steps, end_time } = old;
    state = { ...state, status, stopping, active, total_steps, end_time };
  }
  if (runKept || kept) state = { ...state, counts: recount(state, runKept ? old.counts : null) };
  if (kept && state.active && !state.steps_truncated) state = { ...state, current_step: stepInHand(state.steps, state.current_step) };
  // A new place alone is no news.
  const same = shareState(old, { ...state, position: old.position });
  return {
    ...view, state: same === old ? old : { ...same, position: state.position }, floor: version, floorTime: document.last_update,
    floorPosition: document.position ?? null, runVersion: Math.max(view.runVersion, version), stepVersions, progressAt,
  };
}

/** Take what a summary says of the run and of the step in hand. `incomplete`: the steps around it must be read. */
export function takeSummary(view: View, summary: Summary, now: number): { view: View; incomplete: boolean } {
  if (summary.version < view.runVersion) return { view, incomplete: false };
  const old = view.state;
  const { name, status, active, stopping, total_steps, counts, priority, template_id, started_by, forked_from } = summary;
  const { start_time, last_update, end_time, error, current_step, version } = summary;
  const stepVersions = new Map(view.stepVersions);
  let steps = old.steps;
  const at = summary.step === null || summary.step === undefined ? -1 : placeOfStep(steps, summary.step.index);
  if (summary.step && at >= 0 && (view.stepVersions.get(summary.step.index) ?? view.floor) <= version) {
    const shown = steps[at]!;
    const heldSince = view.progressAt.get(shown.index);
    const fresh: StepState = { ...shown, ...summary.step };
    const held = heldSince !== undefined && holds(shown, fresh, now - heldSince);
    const step = share(shown, held ? { ...fresh, progress: shown.progress } : fresh);
    if (step !== shown) {
      steps = [...steps];
      steps[at] = step;
    }
    if (version > view.floor) stepVersions.set(shown.index, version);
  }
  const state = shareState(old, {
    ...old, name, status, active, stopping, total_steps, counts, priority, template_id, started_by, forked_from, start_time,
    last_update, end_time, error, current_step, version: Math.max(old.version, version), steps,
  });
  const incomplete = (at < 0 && current_step !== null) || total_steps !== old.total_steps || (old.active && !active);
  return { view: { ...view, state, runVersion: version, stepVersions }, incomplete };
}

/** Whether the progress that events told is believed rather than a document of the same attempt. */
function holds(shown: StepState, fresh: StepState, ageMs: number): boolean {
  return ageMs < PROGRESS_HELD_MS && fresh.status === "in_progress" && fresh.attempt === shown.attempt;
}

/** Counts of the steps that are here, if all are; those that ended as the run's own event told them, where it is newer. */
function recount(state: State, told: Counts | null): Counts {
  if (state.steps_truncated || state.steps.length !== state.total_steps) return told ?? state.counts;
  const number = (status: StepState["status"]) => state.steps.reduce((sum, step) => sum + (step.status === status ? 1 : 0), 0);
  const { completed, failed, skipped } = told ?? { completed: number("completed"), failed: number("failed"), skipped: number("skipped") };
  const counts = { total: state.total_steps, pending: 0, in_progress: number("in_progress"), cancelled: number("cancelled"), completed, failed, skipped };
  return withPending(counts);
}
