// When a run may end, from how long its steps took before. An estimate, and said to be one.
import type { State, StepState } from "../../api/types";
import { duration } from "../../format/durations";
import { percentOf } from "../progress/percent";

/** Medians over earlier runs of the same kind, in milliseconds. */
export interface Durations {
  samples: number;
  run_ms: number | null;
  steps: Record<string, number>;
}

/** Milliseconds left; null when nothing is known or nothing goes on. Negative: that much over the usual time. */
export function remainingMs(state: State, known: Durations | null, nowMs: number): number | null {
  if (!known || known.samples === 0 || state.status !== "running" || state.stopping) return null;
  if (state.steps_truncated) return known.run_ms === null ? null : known.run_ms - (nowMs - Date.parse(state.start_time));
  const all = Object.values(known.steps);
  if (all.length === 0) return null;
  const usual = all.reduce((sum, ms) => sum + ms, 0) / all.length;
  const ends = new Map<string, number>();
  let over = 0;
  // Steps come in an order in which what is needed stands before what needs it; what is added later only needs earlier ones.
  for (const step of state.steps) {
    const left = leftOf(step, known.steps[step.key] ?? usual, nowMs);
    if (left < 0) over = Math.min(over, left);
    const begins = step.needs.reduce((latest, key) => Math.max(latest, ends.get(key) ?? 0), 0);
    ends.set(step.key, begins + Math.max(0, left));
  }
  const longest = Math.max(0, ...ends.values());
  return longest > 0 ? longest : over;
}

function leftOf(step: StepState, usualMs: number, nowMs: number): number {
  switch (step.status) {
    case "pending": {
      const waits = step.waiting_for && step.until ? Math.max(0, Date.parse(step.until) - nowMs) : 0;
      return usualMs + waits;
    }
    case "in_progress": {
      const spent = step.start_time ? Math.max(0, nowMs - Date.parse(step.start_time)) : 0;
      const percent = percentOf(step.progress);
      // What the step says of itself counts once it has come some way.
      if (percent !== null && percent >= 5 && percent < 100) return (spent / percent) * (100 - percent);
      return usualMs - spent;
    }
    default:
      return 0;
  }
}

/** `about 4 m left`, `longer than usual`; null when there is no estimate. */
export function remainingWords(ms: number | null): string | null {
  if (ms === null) return null;
  if (ms <= 0) return ms < -1000 ? "longer than usual" : "nearly done";
  if (ms < 10_000) return "a few seconds left";
  return `about ${roughly(ms)} left`;
}

/** Rounded to what an estimate can promise. */
export function roughly(ms: number): string {
  const s = ms / 1000;
  if (s < 55) return `${Math.round(s / 5) * 5} s`;
  const m = s / 60;
  if (m < 55) return `${Math.max(1, Math.round(m))} m`;
  const h = m / 60;
  return h < 10 ? `${Math.floor(Math.round(h * 2) / 2)} h${Math.round(h * 2) % 2 === 1 ? " 30 m" : ""}` : duration(Math.round(h) * 3_600_000);
}
