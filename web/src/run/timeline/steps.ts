// All steps of a run with their attempts, for what shows the run as a whole: read page by page, then kept up to date by
// what the feed tells, with those pages read again whose steps have more attempts than the feed knows of.
import { effect, signal, type ReadonlySignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { get, sessionEnded } from "../../api/client";
import type { StepOfPage, StepState } from "../../api/types";
import type { RunFeed } from "../../live/feed";
import { whileUsed } from "../../live/used";
import { onWake, seen } from "../../live/waking";
import { stepMark } from "../panel/reading";

export interface AllSteps {
  /** In order. */
  steps: readonly StepOfPage[];
  /** Whether all there are have been read. */
  complete: boolean;
  problem: unknown;
}

const PAGE = 200;
const QUIET_MS = 1000;
const AGAIN_MS = 5000;

export class StepsReader {
  private readonly shown = signal<AllSteps>({ steps: [], complete: false, problem: null });
  private readonly pages = new Map<number, StepOfPage>();
  private readonly stale = new Set<number>();
  private cursor: number | null = 0;
  /** Read, and read on, until what this gives is called. What changes while nobody looks is not heard of. */
  readonly use = whileUsed(() => this.follow(), () => {
    for (const index of this.pages.keys()) this.stale.add(index);
  });

  constructor(private readonly feed: RunFeed) {}

  get state(): ReadonlySignal<AllSteps> {
    return this.shown;
  }

  private follow(): () => void {
    const stopped = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let reading = false;
    let last = 0;
    const read = async () => {
      // Nobody looks, or may: there is time for it when somebody does.
      if (reading || stopped.signal.aborted || !seen() || sessionEnded.peek()) return;
      reading = true;
      last = Date.now();
      let again: number | null = null;
      try {
        await this.readOn(stopped.signal);
        await this.readStale(stopped.signal);
        if (this.stale.size > 0) again = QUIET_MS;
      } catch (problem) {
        if (stopped.signal.aborted) return;
        this.shown.value = { ...this.shown.peek(), problem };
        again = AGAIN_MS;
      } finally {
        reading = false;
      }
      if (again !== null) plan(again);
    };
    const plan = (afterMs = Math.max(0, last + QUIET_MS - Date.now())) => {
      clearTimeout(timer);
      timer = setTimeout(() => void read(), afterMs);
    };
    const unwatch = effect(() => {
      const state = this.feed.state.value;
      if (state === null) return;
      if (state.total_steps > this.pages.size && this.cursor === null) this.cursor = this.behind();
      if (this.take(state.steps) || this.cursor !== null || this.stale.size > 0) plan();
    });
    // Steps outside of the state's window are told by events alone.
    const unlisten = this.feed.onEvent((event) => {
      if (event.type !== "step") return;
      const inState = this.feed.state.peek()?.steps.some((step) => step.index === event.index) ?? false;
      if (!inState && this.pages.has(event.index)) {
        this.stale.add(event.index);
        plan();
      }
    });
    const asleep = onWake(() => { if (this.cursor !== null || this.stale.size > 0) plan(0); });
    plan(0);
    return () => { stopped.abort(); clearTimeout(timer); unwatch(); unlisten(); asleep(); };
  }

  /** Put the newer of what the state says over what was read; true when something has to be read again. */
  private take(steps: readonly StepState[]): boolean {
    let changed = false;
    for (const step of steps) {
      const before = this.pages.get(step.index);
      if (!before || isNewer(before, step)) continue;
      if (stepMark(before) !== stepMark(step)) {
        // One attempt is all in the step itself; of more than one the others have to be read.
        if (step.attempt > 1 || step.waiting_for || step.failures > 0) this.stale.add(step.index);
      } else if (before.progress === step.progress && before.stopping === step.stopping) continue;
      this.pages.set(step.index, { ...before, ...step });
      changed = true;
    }
    if (changed) this.tell();
    return this.stale.size > 0;
  }

  private async readOn(stopped: AbortSignal): Promise<void> {
    while (this.cursor !== null) {
      const page = await this.page(this.cursor, PAGE, stopped);
      this.cursor = page.next;
      this.tell();
    }
  }

  private async readStale(stopped: AbortSignal): Promise<void> {
    while (this.stale.size > 0) {
      const first = Math.min(...this.stale);
      const wanted = [...this.stale].filter((index) => index < first + PAGE);
      for (const index of wanted) this.stale.delete(index);
      try {
        await this.page(first, Math.max(...wanted) - first + 1, stopped);
      } catch (error) {
        // They are as old as before.
        for (const index of wanted) this.stale.add(index);
        throw error;
      }
      this.tell();
    }
  }

  private async page(cursor: number, limit: number, stopped: AbortSignal): Promise<{ next: number | null }> {
    const query = { workflow_id: this.feed.runId, cursor, limit, attempts: true };
    const answer = await get("/workflow/steps", { query, signal: stopped });
    if (!("steps" in answer)) return { next: null };
    for (const step of answer.steps) this.pages.set(step.index, step);
    // What the feed told while the page was on its way is newer.
    const state = this.feed.state.peek();
    const known = new Map(state?.steps.map((step) => [step.index, step]));
    for (const step of answer.steps) {
      const live = known.get(step.index);
      if (live && live.attempt > step.attempt) this.pages.set(step.index, { ...step, ...live });
    }
    return { next: answer.next };
  }

  private behind(): number {
    return Math.max(-1, ...this.pages.keys()) + 1;
  }

  private tell(): void {
    const steps = [...this.pages.values()].sort((one, other) => one.index - other.index);
    this.shown.value = { steps, complete: this.cursor === null, problem: null };
  }
}

/** A page that was read just now may be ahead of the feed. */
function isNewer(known: StepState, told: StepState): boolean {
  return known.attempt > told.attempt || (known.attempt === told.attempt && told.status === "in_progress" && Boolean(known.end_time));
}

const readers = new WeakMap<RunFeed, StepsReader>();

/** All steps of a run, kept up to date while a part of the page uses them. */
export function useAllSteps(feed: RunFeed): AllSteps {
  let reader = readers.get(feed);
  if (!reader) readers.set(feed, (reader = new StepsReader(feed)));
  const used = reader;
  useEffect(() => used.use(), [used]);
  return used.state.value;
}
