// Runs and events for the tests of the live parts.
import type { State, StepState } from "../../src/api/types";
import type { Told } from "../../src/live/fold";

export const stepOf = (index: number, more: Partial<StepState> = {}): StepState => ({
  index, key: `s${index}`, action: "noop", label: `Step ${index}`, status: "pending", ready: false, waiting_for: null, until: null,
  stopping: false, attempt: 0, failures: 0, max_attempts: 3, needs: index === 0 ? [] : [`s${index - 1}`], needs_total: index === 0 ? 0 : 1,
  made_by: null, start_time: null, end_time: null, duration_ms: null, result: null, error: null, progress: null, ...more,
});

export function stateOf(steps: StepState[], more: Partial<State> = {}): State {
  const number = (status: StepState["status"]) => steps.filter((step) => step.status === status).length;
  return {
    schema_version: "1.0", workflow_id: "w", name: "w", status: "running", active: true, stopping: false, version: 1, position: "7-0",
    current_step: 0, total_steps: steps.length, steps, steps_truncated: false, started_by: "ann", priority: 5,
    start_time: "2026-01-01T00:00:00.000Z", last_update: "2026-01-01T00:00:00.000Z", end_time: null, error: null,
    params: null, params_truncated: false, metadata: {},
    counts: {
      total: steps.length, pending: number("pending"), in_progress: number("in_progress"), completed: number("completed"),
      failed: number("failed"), skipped: number("skipped"), cancelled: number("cancelled"),
    },
    ...more,
  };
}

/** Events as they come over the socket, numbered in their order. */
export function story(epoch = 7, from = 0) {
  let seq = from;
  const tell = (event: Told["event"]): Told => {
    seq += 1;
    return { epoch, seq, position: `${epoch}-${seq}`, event };
  };
  const step = (version: number, index: number, status: string, attempt: number, more: object = {}): Told =>
    tell({ type: "step", version, index, key: `s${index}`, status, attempt, waiting_for: null, due_at: null, message: null, error: null, ...more } as Told["event"]);
  const run = (version: number, status: string, total: number, completed: number, failed = 0, skipped = 0): Told =>
    tell({ type: "run", version, status, total, completed, failed, skipped } as Told["event"]);
  const progress = (index: number, attempt: number, percent: number): Told =>
    tell({ type: "progress", index, key: `s${index}`, attempt, progress: { type: "percentage", percent, clipped: false } });
  const log = (index: number, attempt: number, offset: number, text: string): Told =>
    tell({ type: "log", index, key: `s${index}`, attempt, offset, level: "info", text });
  return { step, run, progress, log, skip: (count: number) => (seq += count) };
}

/** Numbers that look random and are the same every time. */
export function dice(seed: number): () => number {
  let at = seed;
  return () => {
    at = (at * 1664525 + 1013904223) % 4294967296;
    return at / 4294967296;
  };
}
