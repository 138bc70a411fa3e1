import { describe, expect, it } from "vitest";

import { begin, beforeReplay } from "../../src/live/documents";
import { fold, type Told } from "../../src/live/fold";
import type { View } from "../../src/live/view";
import { dice, stateOf, stepOf, story } from "./made";

const first = () => begin(stateOf([stepOf(0, { ready: true }), stepOf(1), stepOf(2)]));
const NOW = 1_000_000;
const state = (view: View) => view.state;

/** A run of three steps, of which the second is tried twice. */
function whole(): Told[] {
  const { step, run, progress, log } = story();
  return [
    step(2, 0, "in_progress", 1), progress(0, 1, 10), log(0, 1, 0, "hello\n"), progress(0, 1, 80),
    step(3, 0, "completed", 1, { message: "done" }), step(3, 1, "ready", 0), run(3, "running", 3, 1),
    step(4, 1, "in_progress", 1), progress(1, 1, 50),
    step(5, 1, "waiting", 1, { waiting_for: "retry", due_at: "2026-01-01T00:01:00Z", error: { code: "ssh", message: "refused", details: {} } }),
    run(5, "running", 3, 1),
    step(6, 1, "ready", 1), step(7, 1, "in_progress", 2), progress(1, 2, 20),
    step(8, 1, "completed", 2), step(8, 2, "ready", 0), run(8, "running", 3, 2),
    step(9, 2, "in_progress", 1), step(10, 2, "failed", 1, { error: { code: "x", message: "no disk", details: { free: 0 } } }), run(10, "failed", 3, 2, 1),
  ];
}

describe("folding events", () => {
  it("tells a run from its beginning to its end", () => {
    const { view, taken, incomplete } = fold(first(), whole(), NOW);
    const { status, active, counts, steps, version } = state(view);
    expect({ status, active, version }).toEqual({ status: "failed", active: false, version: 10 });
    expect(counts).toEqual({ total: 3, pending: 0, in_progress: 0, completed: 2, failed: 1, skipped: 0, cancelled: 0 });
    expect(steps.map((step) => [step.status, step.attempt])).toEqual([["completed", 1], ["completed", 2], ["failed", 1]]);
    expect(steps[0]!.result).toMatchObject({ success: true, message: "done", clipped: true });
    expect(steps[2]!.error?.message).toBe("no disk");
    expect(steps[2]!.result).toMatchObject({ success: false, error: "no disk" });
    expect(taken).toHaveLength(whole().length);
    expect(incomplete).toBe(true); // it ended: only the state says when
  });

  it("says ready, waiting and stopping in the words of the state", () => {
    const { step, run } = story();
    let view = fold(first(), [step(2, 0, "waiting", 1, { waiting_for: "lock", due_at: null }), run(2, "cancelling", 3, 0)], NOW).view;
    expect(state(view).steps[0]).toMatchObject({ status: "pending", ready: false, waiting_for: "lock", until: null });
    expect(state(view)).toMatchObject({ status: "running", stopping: true, active: true });
    view = fold(view, [step(3, 0, "waiting", 1, { waiting_for: "throttled", due_at: "2026-01-01T00:01:00Z", message: "cpu at 97 %" })], NOW).view;
    expect(state(view).steps[0]).toMatchObject({ waiting_for: "throttled", until: "2026-01-01T00:01:00Z", why: "cpu at 97 %" });
    view = fold(view, [step(4, 0, "ready", 1)], NOW).view;
    expect(state(view).steps[0]).toMatchObject({ status: "pending", ready: true, waiting_for: null, until: null, why: null });
  });

  it("gives the same whether events come one by one or together", () => {
    const together = fold(first(), whole(), NOW).view;
    const single = whole().reduce((view, told) => fold(view, [told], NOW).view, first());
    expect(single).toEqual(together);
  });

  it("changes nothing when any prefix comes twice", () => {
    const all = whole();
    for (let length = 1; length <= all.length; length += 1) {
      const once = fold(first(), all.slice(0, length), NOW);
      const twice = fold(once.view, all.slice(0, length), NOW);
      expect(twice.view).toBe(once.view);
      expect(twice.taken).toEqual([]);
    }
  });

  it("changes nothing when earlier events come again anywhere, in any order", () => {
    const all = whole();
    const expected = fold(first(), all, NOW);
    for (let seed = 1; seed <= 200; seed += 1) {
      const random = dice(seed);
      const mixed = all.flatMap((told, at) => {
        const again = Array.from({ length: Math.floor(random() * 4) }, () => all[Math.floor(random() * (at + 1))]!);
        return [told, ...again];
      });
      const found = fold(first(), mixed, NOW);
      expect(found.view).toEqual(expected.view);
      expect(found.taken).toEqual(all.map((told) => told.event));
    }
  });

  it("ends the same when two workers tell their changes in another order than they made them", () => {
    const steps = () => begin(stateOf([stepOf(0, { status: "in_progress", attempt: 1 }), stepOf(1, { status: "in_progress", attempt: 1 })]));
    const inOrder = story();
    const usual = [inOrder.step(2, 0, "completed", 1), inOrder.run(2, "running", 2, 1), inOrder.step(3, 1, "completed", 1), inOrder.run(3, "completed", 2, 2)];
    const other = story();
    const crossed = [other.step(3, 1, "completed", 1), other.run(3, "completed", 2, 2), other.step(2, 0, "completed", 1), other.run(2, "running", 2, 1)];
    // Which step was in hand last is a matter of the order.
    const ended = (told: Told[]) => ({ ...state(fold(steps(), told, NOW).view), current_step: null });
    expect(ended(crossed)).toEqual(ended(usual));
  });

  it("ignores a lower version of a step, and what its document says already", () => {
    const view = begin(stateOf([stepOf(0, { status: "completed", attempt: 1 })], { version: 5 }));
    const { step, run } = story();
    const late = fold(view, [step(4, 0, "in_progress", 1), step(5, 0, "completed", 1, { message: "again" }), run(4, "running", 1, 0)], NOW).view;
    expect(state(late)).toBe(state(view));
  });

  it("takes the higher attempt of two that one change tells", () => {
    const one = story();
    const forth = fold(first(), [one.step(2, 0, "ready", 0), one.step(2, 0, "in_progress", 1)], NOW).view;
    const other = story();
    const back = fold(first(), [other.step(2, 0, "in_progress", 1), other.step(2, 0, "ready", 0)], NOW).view;
    expect(state(forth).steps[0]!.status).toBe("in_progress");
    expect(state(back).steps).toEqual(state(forth).steps);
  });

  it("leaves what a step no longer is behind when a new attempt begins", () => {
    const view = begin(stateOf([stepOf(0, {
      status: "failed", attempt: 1, start_time: "2026-01-01T00:00:00Z", end_time: "2026-01-01T00:00:05Z", duration_ms: 5000,
      error: { code: "x", message: "no", details: {} }, result: { success: false, message: "no", error: "no", details: {}, clipped: false },
      progress: { type: "percentage", percent: 70, clipped: false },
    })]));
    const { step } = story();
    expect(state(fold(view, [step(2, 0, "in_progress", 2)], NOW).view).steps[0]).toMatchObject({
      status: "in_progress", attempt: 2, start_time: null, end_time: null, duration_ms: null, error: null, result: null, progress: null,
    });
  });

  it("ignores progress of an attempt that is over", () => {
    const { step, progress } = story();
    const view = fold(first(), [step(2, 0, "in_progress", 2), progress(0, 2, 30)], NOW).view;
    expect(state(fold(view, [progress(0, 1, 99)], NOW).view).steps[0]!.progress?.percent).toBe(30);
    const ended = fold(view, [step(3, 0, "completed", 2), progress(0, 2, 99)], NOW).view;
    expect(state(ended).steps[0]!.progress?.percent).toBe(30);
  });

  it("passes over progress that is sent again, whose document is newer", () => {
    const document = stateOf([stepOf(0, { status: "in_progress", attempt: 1, progress: { type: "percentage", percent: 60, clipped: false } })], { position: "7-5" });
    const view = beforeReplay({ ...begin(document), position: "7-2" });
    const { progress } = story(7, 2);
    const again = fold(view, [progress(0, 1, 30), progress(0, 1, 40)], NOW);
    expect(state(again.view).steps[0]!.progress?.percent).toBe(60);
    expect(again.taken).toHaveLength(2); // logs and listeners get them all the same
    const { progress: next } = story(7, 4);
    expect(state(fold(again.view, [next(0, 1, 50), next(0, 1, 70)], NOW).view).steps[0]!.progress?.percent).toBe(70);
  });

  it("keeps what did not change the same object", () => {
    const before = first();
    const { step, progress, log } = story();
    const begun = fold(before, [step(2, 0, "in_progress", 1)], NOW).view;
    expect(state(begun).steps[0]).not.toBe(state(before).steps[0]);
    expect(state(begun).steps[1]).toBe(state(before).steps[1]);
    const logged = fold(begun, [log(0, 1, 0, "x")], NOW).view;
    expect(state(logged)).toBe(state(begun));
    const moved = fold(logged, [progress(0, 1, 5)], NOW).view;
    expect(state(moved).counts).toBe(state(begun).counts);
    const still = fold(moved, [progress(0, 1, 5)], NOW).view;
    expect(state(still).steps).toBe(state(moved).steps);
  });

  it("counts by the steps until the run itself is told", () => {
    const { step, run } = story();
    let view = fold(first(), [step(2, 0, "in_progress", 1)], NOW).view;
    expect(state(view).counts).toMatchObject({ pending: 2, in_progress: 1, completed: 0 });
    view = fold(view, [step(3, 0, "completed", 1)], NOW).view;
    expect(state(view).counts).toMatchObject({ pending: 2, in_progress: 0, completed: 1 });
    view = fold(view, [run(3, "running", 3, 1)], NOW).view;
    expect(state(view).counts).toMatchObject({ pending: 2, in_progress: 0, completed: 1 });
  });

  it("shows no fewer ended when a control's run event is followed by a step", () => {
    const view = begin(stateOf([stepOf(0, { status: "completed", attempt: 1 }), stepOf(1, { status: "failed", attempt: 1 })], { version: 5, status: "failed", active: false }));
    const { run, step } = story();
    const retried = fold(view, [run(6, "running", 2, 1, 0)], NOW);
    expect(retried.incomplete).toBe(true); // no event tells which steps a control changed
    expect(state(retried.view).counts).toMatchObject({ completed: 1, failed: 0, pending: 1 });
    const claimed = fold(retried.view, [step(7, 1, "in_progress", 2)], NOW).view;
    expect(state(claimed).counts).toMatchObject({ completed: 1, in_progress: 1 });
  });

  it("asks for the state when steps were added, or a step is not known", () => {
    const { step, run } = story();
    expect(fold(first(), [step(2, 0, "completed", 1), run(2, "running", 5, 1)], NOW).incomplete).toBe(true);
    expect(fold(first(), [story().step(2, 4, "in_progress", 1)], NOW).incomplete).toBe(true);
  });

  it("asks for nothing while events say all", () => {
    expect(fold(first(), whole().slice(0, -1), NOW).incomplete).toBe(false);
  });

  it("changes only counts for steps outside of the window", () => {
    const window = Array.from({ length: 200 }, (_, at) => stepOf(300 + at));
    const view = begin(stateOf(window, { steps_truncated: true, total_steps: 1000, counts: { total: 1000, pending: 699, in_progress: 1, completed: 300, failed: 0, skipped: 0, cancelled: 0 } }));
    const { step, run } = story();
    const folded = fold(view, [step(2, 7, "completed", 1), run(2, "running", 1000, 301), step(3, 420, "in_progress", 1)], NOW);
    expect(state(folded.view).counts).toMatchObject({ completed: 301, total: 1000 });
    expect(state(folded.view).steps[120]!.status).toBe("in_progress");
    expect(state(folded.view).steps[119]).toBe(window[119]);
    expect(folded.incomplete).toBe(false);
  });

  it("asks for the state when a change is larger than what is told of it", () => {
    const steps = Array.from({ length: 120 }, (_, at) => stepOf(at));
    const { step, run } = story();
    const told = Array.from({ length: 51 }, (_, at) => step(2, at, "ready", 0));
    expect(fold(begin(stateOf(steps)), [...told, run(2, "running", 120, 1)], NOW).incomplete).toBe(true);
  });
});

describe("gaps", () => {
  it("takes the event behind a gap, and asks for the state", () => {
    const { step, skip } = story();
    const before = step(2, 0, "in_progress", 1);
    skip(3);
    const { view, incomplete, taken } = fold(first(), [before, step(6, 1, "in_progress", 1)], NOW);
    expect(incomplete).toBe(true);
    expect(taken).toHaveLength(2);
    expect(view.position).toBe("7-5");
  });

  it("goes on in a new epoch", () => {
    const begun = fold(first(), [story().step(2, 0, "in_progress", 1)], NOW).view;
    const wiped = fold(begun, [story(9).step(3, 0, "completed", 1)], NOW);
    expect(wiped.incomplete).toBe(true);
    expect(wiped.view.position).toBe("9-1");
    expect(state(wiped.view).steps[0]!.status).toBe("completed");
  });

  it("goes on behind what was lost", () => {
    const { step, skip } = story();
    skip(500);
    const { view, incomplete, taken } = fold(first(), [{ lostBefore: "7-500" }, step(2, 0, "in_progress", 1)], NOW);
    expect(incomplete).toBe(true);
    expect(taken).toHaveLength(1);
    expect(view.position).toBe("7-501");
  });

  it("ignores kinds of events that it does not know", () => {
    const before = first();
    const unknown = { epoch: 7, seq: 1, position: "7-1", event: { type: "text", text: "?" } } as unknown as Told;
    const { view, incomplete } = fold(before, [unknown], NOW);
    expect(state(view)).toBe(state(before));
    expect(view.position).toBe("7-1");
    expect(incomplete).toBe(false);
  });
});
