import { describe, expect, it } from "vitest";

import type { State } from "../../src/api/types";
import { begin, isOlder, rebase, takeSummary, type Summary } from "../../src/live/documents";
import { fold } from "../../src/live/fold";
import { stateOf, stepOf, story } from "./made";

const NOW = 1_000_000;
const going = (percent: number) => ({ status: "in_progress" as const, attempt: 1, progress: { type: "percentage" as const, percent, clipped: false } });

describe("documents", () => {
  it("replace what is older", () => {
    const view = begin(stateOf([stepOf(0), stepOf(1)]));
    const next = rebase(view, stateOf([stepOf(0, { status: "completed", attempt: 1 }), stepOf(1)], { version: 3 }), NOW);
    expect(next.state.version).toBe(3);
    expect(next.state.counts.completed).toBe(1);
    expect(next.state.steps[1]).toBe(view.state.steps[1]);
  });

  it("never put older over newer", () => {
    const view = begin(stateOf([stepOf(0, { status: "completed", attempt: 1 })], { version: 3 }));
    expect(rebase(view, stateOf([stepOf(0, going(10))], { version: 2 }), NOW)).toBe(view);
    const late = stateOf([stepOf(0)], { version: 3, last_update: "2025-12-31T23:59:59.000Z" });
    expect(isOlder(view, late)).toBe(true);
    expect(rebase(view, late, NOW)).toBe(view);
  });

  it("go below what events have told since", () => {
    const { step, run } = story();
    const told = fold(begin(stateOf([stepOf(0, going(10)), stepOf(1)])), [step(3, 0, "completed", 1), step(3, 1, "ready", 0), run(3, "running", 2, 1)], NOW).view;
    const late = stateOf([stepOf(0, { ...going(50), start_time: "2026-01-01T00:00:01Z" }), stepOf(1, { label: "Renamed" })], { version: 2 });
    const next = rebase(told, late, NOW);
    expect(next.state.steps[0]).toMatchObject({ status: "completed", start_time: "2026-01-01T00:00:01Z" });
    expect(next.state.steps[1]!.ready).toBe(true);
    expect(next.state.counts).toMatchObject({ completed: 1, pending: 1, in_progress: 0 });
    expect(next.state.version).toBe(3);
    expect(next.floor).toBe(2);
  });

  it("give way to an event that comes behind them, and not to one that came before", () => {
    const view = rebase(begin(stateOf([stepOf(0)])), stateOf([stepOf(0, { status: "completed", attempt: 1 })], { version: 4 }), NOW);
    const { step } = story();
    const early = fold(view, [step(3, 0, "in_progress", 1)], NOW).view;
    expect(early.state).toBe(view.state);
    expect(fold(early, [step(5, 0, "ready", 1)], NOW).view.state.steps[0]!.ready).toBe(true);
  });

  it("leave the progress that events told while workers have not stored it", () => {
    const { progress } = story();
    const told = fold(begin(stateOf([stepOf(0, going(10))])), [progress(0, 1, 40)], NOW).view;
    const behind = stateOf([stepOf(0, going(30))], { last_update: "2026-01-01T00:00:01.000Z" });
    expect(rebase(told, behind, NOW + 500).state.steps[0]!.progress?.percent).toBe(40);
    expect(rebase(told, behind, NOW + 5000).state.steps[0]!.progress?.percent).toBe(30);
    const ended = stateOf([stepOf(0, { ...going(100), status: "completed" })], { version: 2 });
    expect(rebase(told, ended, NOW + 500).state.steps[0]!.progress?.percent).toBe(100);
  });

  it("are no news when they say what is known", () => {
    const view = begin(stateOf([stepOf(0, going(10))], { params: { a: [1, { b: 2 }] }, position: "7-3" }));
    const same = JSON.parse(JSON.stringify({ ...view.state, position: "7-9" })) as State;
    expect(rebase(view, same, NOW).state).toBe(view.state);
  });

  it("bring the steps of another part of a large run", () => {
    const part = (from: number) => Array.from({ length: 200 }, (_, at) => stepOf(from + at));
    const view = begin(stateOf(part(0), { steps_truncated: true, total_steps: 1000 }));
    const next = rebase(view, stateOf(part(100), { steps_truncated: true, total_steps: 1000, version: 2 }), NOW);
    expect(next.state.steps[0]).toBe(view.state.steps[100]);
    expect(next.state.steps).toHaveLength(200);
  });
});

describe("summaries", () => {
  const summary = (more: Partial<Summary>): Summary => {
    const { params: _p, params_truncated: _t, metadata: _m, steps: _s, ssh: _h, ssh_connection: _c, ...state } = stateOf([]);
    return { ...state, percent: 0, host: null, template_id: null, forked_from: null, end_time: null, duration_ms: null, archived: false, error: null, current_step: 0, step: null, ...more } as unknown as Summary;
  };
  const inHand = (index: number) => {
    const { needs: _n, needs_total: _t, made_by: _m, ...step } = stepOf(index, going(20));
    return step as unknown as Summary["step"];
  };
  const large = () => begin(stateOf(Array.from({ length: 200 }, (_, at) => stepOf(at)), { steps_truncated: true, total_steps: 1000 }));
  const counts = { total: 1000, pending: 989, in_progress: 1, completed: 10, failed: 0, skipped: 0, cancelled: 0 };

  it("tell the run and the step in hand, and leave the other steps", () => {
    const view = large();
    const next = takeSummary(view, summary({ version: 8, total_steps: 1000, counts, current_step: 10, step: inHand(10) }), NOW);
    expect(next.view.state.counts.completed).toBe(10);
    expect(next.view.state.steps[10]).toMatchObject({ status: "in_progress", needs: ["s9"] });
    expect(next.view.state.steps[11]).toBe(view.state.steps[11]);
    expect(next.incomplete).toBe(false);
  });

  it("ask for the steps around the one in hand when it has left the window", () => {
    expect(takeSummary(large(), summary({ version: 8, total_steps: 1000, counts, current_step: 700, step: inHand(700) }), NOW).incomplete).toBe(true);
  });

  it("do not go back", () => {
    const { run } = story();
    const view = fold(large(), [run(9, "running", 1000, 12)], NOW).view;
    expect(takeSummary(view, summary({ version: 8, total_steps: 1000, counts }), NOW).view).toBe(view);
  });
});
