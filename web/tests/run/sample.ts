// Steps and runs for tests: only what a test is about is written in it.
import type { State, StepState } from "../../src/api/types";

export function step(key: string, given: Partial<StepState> = {}): StepState {
  const needs = given.needs ?? [];
  return {
    index: 0, key, action: "noop", label: key, status: "pending", ready: false, waiting_for: null, until: null, stopping: false,
    attempt: 0, failures: 0, max_attempts: 3, needs_total: needs.length, made_by: null, start_time: null, end_time: null,
    duration_ms: null, result: null, error: null, progress: null, ...given, needs,
  };
}

/** Steps one after the other, each needing the one before. */
export function chain(...given: (Partial<StepState> & { key: string })[]): StepState[] {
  return given.map((one, index) => {
    const needs = one.needs ?? (index > 0 ? [given[index - 1]!.key] : []);
    return step(one.key, { index, ...one, needs, needs_total: needs.length });
  });
}

export function run(steps: StepState[], given: Partial<State> = {}): State {
  const count = (status: StepState["status"]): number => steps.filter((one) => one.status === status).length;
  return {
    schema_version: "1.0", workflow_id: "run-1", name: "Nightly scan", status: "running", active: true, stopping: false, version: 1,
    position: null, current_step: 0, total_steps: steps.length, steps, steps_truncated: false, ssh_connection: null, ssh: null,
    counts: {
      total: steps.length, pending: count("pending"), in_progress: count("in_progress"), completed: count("completed"),
      failed: count("failed"), skipped: count("skipped"), cancelled: count("cancelled"),
    },
    template_id: null, forked_from: null, started_by: "mia", priority: 5, start_time: "2026-01-01T12:00:00.000Z",
    last_update: "2026-01-01T12:00:00.000Z", end_time: null, error: null, params: null, params_truncated: false, metadata: {}, ...given,
  };
}
