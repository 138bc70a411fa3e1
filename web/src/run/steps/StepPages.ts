// The steps of a run that is too long for one state document: the window around the step in hand comes with the state, the
// rest page by page as it is looked at.
import { batch, type ReadonlySignal, type Signal, signal } from "@preact/signals";

import { sessionEnded } from "../../api/client";
import type { LiveEvent, State, StepState } from "../../api/types";
import { backoffMs } from "../../live/backoff";
import { onWake, seen } from "../../live/waking";

export const PAGE = 200;
/** What changes while it is looked at is read again at most so often. */
const AGAIN_MS = 1500;

export type FetchSteps = (cursor: number, limit: number) => Promise<{ steps: readonly StepState[]; next: number | null }>;

interface Page {
  stale: boolean;
  /** Reads that failed in a row, and when the next may be. */
  failures: number;
  nextAt: number;
}

export class StepPages {
  /** Why the last page could not be read; null when it could. */
  readonly problem = signal<unknown>(null);
  private readonly known = new Map<number, StepState>();
  private readonly byKey = new Map<string, StepState>();
  /** What is known of a position, for those that were asked for by `at`. */
  private readonly signals = new Map<number, Signal<StepState | undefined>>();
  /** What the state last said of a position: a page may know more of it. */
  private readonly taken = new Map<number, StepState>();
  private readonly missing = new Set<number>();
  private readonly pages = new Map<number, Page>();
  private readonly asked = new Set<number>();
  private state: State | null = null;
  private end = 0;
  private readonly positions = signal<readonly number[]>([]);
  /** Positions that are drawn now. */
  private readonly drawn = new Set<number>();
  private due = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asleep: (() => void) | null = null;

  constructor(private readonly fetchSteps: FetchSteps, private readonly clock: () => number = Date.now) {}

  /** Positions of the steps in order; what is known of one, `step` says. Who reads it is told when there are others. */
  get rows(): readonly number[] {
    return this.positions.value;
  }

  step(position: number): StepState | undefined {
    return this.known.get(position);
  }

  find(key: string): StepState | undefined {
    return this.byKey.get(key);
  }

  /** The same as `step`, told whenever it is another one. */
  at(position: number): ReadonlySignal<StepState | undefined> {
    let found = this.signals.get(position);
    if (found === undefined) this.signals.set(position, (found = signal(this.known.get(position))));
    return found;
  }

  /** Take up a newer state: its steps are the newest there are. */
  take(state: State): void {
    batch(() => this.takeUp(state));
  }

  private takeUp(state: State): void {
    const before = this.state;
    if (state === before) return;
    this.state = state;
    if (before && state.total_steps < before.total_steps) this.forget();
    // A run that ends, or begins again, changes steps far from the one in hand.
    if (before && (before.active !== state.active || before.stopping !== state.stopping)) this.outdate();
    if (state.steps_truncated) {
      if (before && !before.steps_truncated) this.forget();
      const fresh = state.steps.filter((step) => this.taken.get(step.index) !== step);
      for (const step of fresh) this.taken.set(step.index, step);
      const sized = this.put(fresh);
      if (sized || this.end < state.total_steps) {
        this.end = Math.max(state.total_steps, this.end);
        this.number();
      }
    } else {
      this.takeAll(state.steps);
    }
    this.look();
  }

  /** Something happened: what is shown of a step outside the state is old now. */
  hear(event: LiveEvent): void {
    if ((event.type !== "step" && event.type !== "progress") || this.inState(event.index)) return;
    const page = this.pages.get(Math.floor(event.index / PAGE));
    if (page) page.stale = true;
    this.look();
  }

  /** Without events: all but the state's own steps may have changed. */
  outdate(): void {
    for (const page of this.pages.values()) page.stale = true;
    this.look();
  }

  /** A position is drawn, until the function that is returned is called. */
  draw(position: number): () => void {
    this.drawn.add(position);
    this.asleep ??= onWake(() => this.wake());
    // All rows that come into view together make one look.
    if (!this.due) {
      this.due = true;
      queueMicrotask(() => { this.due = false; this.look(); });
    }
    return () => this.drawn.delete(position);
  }

  close(): void {
    clearTimeout(this.timer);
    this.asleep?.();
    this.asleep = null;
    this.state = null;
  }

  private wake(): void {
    for (const page of this.pages.values()) if (page.failures > 0) page.nextAt = 0;
    this.look();
  }

  private look(): void {
    clearTimeout(this.timer);
    // Nobody looks, or may: `wake` looks again.
    if (!this.state?.steps_truncated || !seen() || sessionEnded.peek()) return;
    let soonest = Infinity;
    for (const number of this.lacking()) {
      const wait = (this.pages.get(number)?.nextAt ?? 0) - this.clock();
      if (wait > 0) soonest = Math.min(soonest, wait);
      else void this.read(number);
    }
    if (soonest < Infinity) this.timer = setTimeout(() => this.look(), soonest);
  }

  /** The pages of what is drawn and not, or no longer, known. */
  private lacking(): Set<number> {
    const numbers = new Set<number>();
    for (const position of this.drawn) {
      const number = Math.floor(position / PAGE);
      const page = this.pages.get(number);
      const lacks = this.inState(position) ? isBare(this.known.get(position)) : !page || page.stale;
      if (lacks && !this.asked.has(number)) numbers.add(number);
    }
    return numbers;
  }

  private inState(position: number): boolean {
    const steps = this.state?.steps;
    return !!steps && steps.length > 0 && position >= steps[0]!.index && position <= steps[steps.length - 1]!.index;
  }

  private async read(number: number): Promise<void> {
    this.asked.add(number);
    // Marked before it is asked for: what happens meanwhile makes it old again.
    const page = { stale: false, failures: this.pages.get(number)?.failures ?? 0, nextAt: this.clock() + AGAIN_MS };
    this.pages.set(number, page);
    try {
      const answer = await this.fetchSteps(number * PAGE, PAGE);
      if (this.state === null) return;
      this.problem.value = null;
      page.failures = 0;
      batch(() => this.takePage(number, answer));
    } catch (problem) {
      if (this.state === null) return;
      page.stale = true;
      page.failures += 1;
      page.nextAt = this.clock() + backoffMs(page.failures);
      this.problem.value = problem;
    } finally {
      this.asked.delete(number);
    }
    this.look();
  }

  private takePage(number: number, answer: Awaited<ReturnType<FetchSteps>>): void {
    let sized = this.put(answer.steps.filter((step) => !this.inState(step.index) || isBare(this.known.get(step.index))));
    const last = answer.steps[answer.steps.length - 1]?.index ?? number * PAGE - 1;
    const there = new Set(answer.steps.map((step) => step.index));
    for (let position = number * PAGE; position <= last; position++) {
      if (!there.has(position) && !this.missing.has(position)) {
        this.missing.add(position);
        sized = true;
      }
    }
    if (answer.next === null && this.end !== last + 1) {
      this.end = last + 1;
      sized = true;
    } else if (answer.next !== null && answer.next >= this.end) {
      this.end = answer.next + 1;
      sized = true;
    }
    if (sized) this.number();
  }

  /** Answers whether positions appeared that were thought not to be there. */
  private put(steps: readonly StepState[]): boolean {
    let sized = false;
    for (const step of steps) {
      this.known.set(step.index, step);
      this.byKey.set(step.key, step);
      const told = this.signals.get(step.index);
      if (told) told.value = step;
      if (this.missing.delete(step.index)) sized = true;
      if (step.index >= this.end) {
        this.end = step.index + 1;
        sized = true;
      }
    }
    return sized;
  }

  /** All steps are in the state. Positions may have gaps: what a step had added is gone when it runs again. */
  private takeAll(steps: readonly StepState[]): void {
    const positions = this.positions.peek();
    if (steps.length !== positions.length || steps.some((step, row) => step.index !== positions[row])) {
      this.forget();
      this.positions.value = steps.map((step) => step.index);
    }
    this.put(steps);
  }

  private number(): void {
    const positions: number[] = [];
    for (let position = 0; position < this.end; position++) if (!this.missing.has(position)) positions.push(position);
    this.positions.value = positions;
  }

  private forget(): void {
    this.known.clear();
    this.byKey.clear();
    this.taken.clear();
    this.missing.clear();
    this.pages.clear();
    this.end = 0;
    this.positions.value = [];
    for (const told of this.signals.values()) told.value = undefined;
  }
}

/** Ended, as an event told it: when and with what result only a read says. */
const isBare = (step: StepState | undefined): boolean =>
  !!step && (step.status === "completed" || step.status === "failed") && typeof step.duration_ms !== "number" && !step.result && !!step.start_time;
