// Events into the state. Events assign, they do not add: applying one twice, or one that comes late, changes nothing.
import type { LiveEvent, ProgressEvent, RunEvent, StepEvent, StepResult, StepState } from "../api/types";
import { isBehind, stepTo, type Place } from "./position";
import { share } from "./share";
import { placeOfStep, stepInHand, withPending, type View } from "./view";

/** An event with its place, as `workflow_event` carries it. */
export interface Told extends Place {
  position: string;
  event: LiveEvent;
}

/** `truncated`: what came before this place is lost. */
export interface Lost {
  lostBefore: string;
}

export interface Folded {
  view: View;
  /** The events that had not been taken in before, in order. */
  taken: LiveEvent[];
  /** Whether the state must be read: events are missing, or they do not say all. */
  incomplete: boolean;
}

/** Take in what came, in the order in which it came. `now` in milliseconds. */
export function fold(view: View, news: readonly (Told | Lost)[], now: number): Folded {
  const draft = new Draft(view, now);
  const taken: LiveEvent[] = [];
  for (const one of news) {
    if ("lostBefore" in one) {
      draft.position = one.lostBefore;
      draft.incomplete = true;
      continue;
    }
    const step = stepTo(draft.position, one);
    if (step === "again") continue;
    if (step === "gap") draft.incomplete = true;
    draft.position = one.position;
    taken.push(one.event);
    draft.apply(one);
  }
  return { view: draft.view(), taken, incomplete: draft.incomplete };
}

/** The most steps that a change tells beside the one that ended; see `MAX_EVENTS_A_FINISH` of the server. */
const TOLD_AT_MOST = 50;
/** Changes of several workers may be told between each other; so many are remembered. */
const RECENT = 16;

/** One batch under way: lists and maps are copied once, not for every event. */
class Draft {
  position: string | null;
  incomplete = false;
  private state: View["state"];
  private steps: StepState[] | null = null;
  private runVersion: number;
  private readonly stepVersions: Map<number, number>;
  private readonly progressAt: Map<number, number>;
  private readonly recent: Map<number, number>;

  constructor(private readonly before: View, private readonly now: number) {
    this.position = before.position;
    this.state = before.state;
    this.runVersion = before.runVersion;
    this.stepVersions = new Map(before.stepVersions);
    this.progressAt = new Map(before.progressAt);
    this.recent = new Map(before.recent);
  }

  apply(told: Told): void {
    switch (told.event.type) {
      case "run": return this.run(told.event);
      case "step": return this.step(told.event);
      case "progress": return this.progress(told.event, told);
    }
  }

  view(): View {
    if (this.position === this.before.position && this.state === this.before.state && this.steps === null) return this.before;
    const state = this.steps === null ? this.state : { ...this.state, steps: this.steps };
    return {
      ...this.before, state, position: this.position, runVersion: this.runVersion,
      stepVersions: this.stepVersions, progressAt: this.progressAt,
      recent: this.recent,
    };
  }

  private run(event: RunEvent): void {
    if (event.version <= this.runVersion) return;
    this.runVersion = event.version;
    const state = this.state;
    const active = ["pending", "running", "paused", "cancelling"].includes(event.status);
    const { total, completed, failed, skipped } = event;
    let counts = { ...state.counts, total, completed, failed, skipped };
    if (!active) counts = { ...counts, in_progress: 0, cancelled: total - completed - failed - skipped };
    // Steps were added; the run ended, and only the state says when and why; or a control changed steps that no event tells.
    if (total !== state.total_steps || !active || !this.toldAllOf(event.version)) this.incomplete = true;
    this.state = {
      ...state,
      status: event.status === "cancelling" ? "running" : event.status,
      stopping: event.status === "cancelling",
      active,
      version: Math.max(state.version, event.version),
      total_steps: total,
      counts: share(state.counts, withPending(counts)),
      ...(active ? { end_time: null } : {}),
    };
  }

  /** Whether all steps were told that this version changed: none are by a control, and of a large fan-out only the first. */
  private toldAllOf(version: number): boolean {
    const steps = this.recent.get(version) ?? 0;
    return steps > 0 && steps <= TOLD_AT_MOST;
  }

  private note(version: number): void {
    this.recent.set(version, (this.recent.get(version) ?? 0) + 1);
    if (this.recent.size > RECENT) this.recent.delete(this.recent.keys().next().value!);
  }

  private step(event: StepEvent): void {
    this.note(event.version);
    const at = placeOfStep(this.state.steps, event.index);
    if (at < 0) {
      if (!this.state.steps_truncated) this.incomplete = true;
      return;
    }
    const old = (this.steps ?? this.state.steps)[at]!;
    const known = this.stepVersions.get(event.index);
    // One change may make a step ready and hand it on: then the higher attempt is the later of two with one version.
    if (event.version <= this.before.floor || event.version < (known ?? 0)) return;
    if (event.version === known && event.attempt <= old.attempt) return;
    this.stepVersions.set(event.index, event.version);
    const step = share(old, told(old, event));
    this.put(at, step);
    this.count(old, step, event.version);
  }

  private progress(event: ProgressEvent, place: Place): void {
    const at = placeOfStep(this.state.steps, event.index);
    if (at < 0 || isBehind(place, this.before.replayTo)) return;
    const old = (this.steps ?? this.state.steps)[at]!;
    if (event.attempt < old.attempt || (event.attempt === old.attempt && old.status !== "in_progress")) return;
    // An attempt whose beginning is not known yet: the event of the step, or the state, will say more.
    if (event.attempt > old.attempt) return void (this.incomplete = true);
    this.progressAt.set(event.index, this.now);
    this.put(at, share(old, { ...old, progress: event.progress }));
  }

  private put(at: number, step: StepState): void {
    if ((this.steps ?? this.state.steps)[at] === step) return;
    this.steps ??= [...this.state.steps];
    this.steps[at] = step;
  }

  /** What follows from the step for the run. The run's own event carries what has ended: only what is newer is counted. */
  private count(old: StepState, step: StepState, version: number): void {
    const counts = { ...this.state.counts };
    const ends = version > this.runVersion;
    for (const [status, by] of [[old.status, -1], [step.status, 1]] as const) {
      if (status === "in_progress" || status === "cancelled" || (ends && status !== "pending")) {
        counts[status] = Math.max(0, counts[status] + by);
      }
    }
    const { steps_truncated, current_step } = this.state;
    this.state = {
      ...this.state,
      version: Math.max(this.state.version, version),
      current_step: steps_truncated ? current_step : stepInHand(this.steps ?? this.state.steps, current_step),
      counts: share(this.state.counts, withPending(counts)),
    };
  }
}

/** The step as an event tells it, in the words of the state. What the event does not say is kept only if it still holds. */
function told(old: StepState, event: StepEvent): StepState {
  const status = event.status === "ready" || event.status === "waiting" ? "pending" : event.status;
  const going = event.status === "in_progress";
  const ended = status !== "pending" && !going;
  const fresh = event.attempt !== old.attempt;
  const same = !fresh && status === old.status;
  return {
    ...old,
    status,
    ready: event.status === "ready",
    waiting_for: event.status === "waiting" ? event.waiting_for : null,
    until: event.status === "waiting" ? event.due_at : null,
    // Events do not tell what it waits on: that comes with the state.
    waiting_on: event.status === "waiting" && event.waiting_for === old.waiting_for ? old.waiting_on ?? null : null,
    held_by: event.status === "waiting" && event.waiting_for === old.waiting_for ? old.held_by ?? null : null,
    why: event.status === "waiting" ? event.message : null,
    attempt: event.attempt,
    stopping: going && !fresh ? old.stopping : false,
    // The clock of this device is no judge: times come with the state, half a second later.
    start_time: fresh ? null : old.start_time,
    end_time: ended && same ? old.end_time : null,
    duration_ms: ended && same ? old.duration_ms : null,
    result: ended ? resultOf(event) : null,
    error: going || status === "completed" || status === "skipped" ? null : event.error ?? (fresh ? null : old.error),
    progress: fresh ? null : old.progress,
  };
}

/** What the event says of the result; the whole of it comes with the state. */
function resultOf(event: StepEvent): StepResult | null {
  if (event.status === "completed") return { success: true, message: event.message, error: null, details: {}, clipped: true };
  if (event.status !== "failed" || event.error === null) return null;
  const { message, details } = event.error;
  return { success: false, message, error: message, details: details ?? {}, clipped: true };
}
