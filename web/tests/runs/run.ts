import type { RunShown } from "../../src/api/types";

/** A run as the server lists it; `part` says what matters to the test. */
export function run(cursor: number, part: Partial<RunShown> = {}): RunShown {
  return {
    cursor, workflow_id: `run-${cursor}`, name: `Run ${cursor}`, status: "running", active: true, stopping: false, version: 1, total_steps: 4,
    counts: { total: 4, pending: 3, in_progress: 1, completed: 0, failed: 0, skipped: 0, cancelled: 0 }, percent: 0, priority: 5, host: null,
    template_id: null, started_by: "ada", forked_from: null, start_time: "2026-11-20T10:00:00Z", last_update: "2026-11-20T10:00:00Z",
    end_time: null, duration_ms: null, archived: false, error: null, step: null, ...part,
  };
}
