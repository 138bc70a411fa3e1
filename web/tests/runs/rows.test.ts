import { describe, expect, it } from "vitest";

import type { WaitReason } from "../../src/api/types";
import { outcomeWords, planOf, wouldAct } from "../../src/runs/bulk";
import { extend, NOTHING, toggle, within } from "../../src/runs/selection";
import { rowsInView } from "../../src/runs/window";
import { age, lineOf, spanWords, took } from "../../src/runs/words";
import { run } from "./run";

const NOW = Date.parse("2026-11-20T10:05:00Z");
const at = (s: number) => new Date(NOW - s * 1000).toISOString();
const step = { index: 1, key: "install", label: "Install nodes", status: "in_progress" as const, waiting_for: null, until: null, percent: null };

describe("words of a row", () => {
  it("say the age as short as can be", () => {
    expect([8, 59, 60, 3599, 3600, 86_399, 86_400 * 12].map((s) => age(at(s), NOW))).toEqual(["8 s", "59 s", "1 min", "59 min", "1 h", "23 h", "12 d"]);
    expect(age(at(-5), NOW)).toBe("0 s");
  });

  it("count the time of a run that goes on, and keep that of one that ended", () => {
    expect(took(run(1), NOW)).toBe("5 m 00 s");
    expect(took(run(1, { active: false, duration_ms: 820 }), NOW)).toBe("820 ms");
  });

  it("say the step in hand and how far it is", () => {
    expect(lineOf(run(1, { step }), NOW)).toEqual({ label: "Install nodes", words: "", tone: null, waits: false });
    expect(lineOf(run(1, { step: { ...step, percent: 40.7 } }), NOW).words).toBe("40 %");
  });

  it("say what a step waits for, and until when", () => {
    const waiting = (waiting_for: WaitReason, until: string | null, waiting_on: string | null = null) =>
      lineOf(run(1, { step: { ...step, status: "pending", waiting_for, until, waiting_on } }), NOW);
    expect(waiting("retry", at(-12))).toMatchObject({ words: "retry in 12 s", tone: "amber", waits: true });
    expect(waiting("retry", at(3)).words).toBe("retry now");
    expect(waiting("delay", at(-5)).words).toBe("begins in 5 s");
    expect(waiting("signal", null).words).toBe("waits for an answer");
    expect(waiting("lock", at(-2)).words).toBe("waits for a lock, 2 s");
    expect(waiting("lock", null, "lock:file:/x").words).toBe("waits for the lock file:/x");
    expect(waiting("lock", at(-2), "place:gpu").words).toBe("waits for a place at gpu, 2 s");
    expect(waiting("rate_limit", at(-2), "rate:openai").words).toBe("waits for the rate limit openai, 2 s");
    expect(waiting("breaker", at(-9), "breaker:nlp:agent").words).toBe("waits for the circuit breaker of nlp:agent, 9 s");
    expect(waiting("throttled", at(-9), "throttle:host-a").words).toBe("waits for the load of host-a to go down, 9 s");
    expect(waiting("retry", at(-9), "budget:openai").words).toBe("retries of openai are spread, retry in 9 s");
    expect(lineOf(run(1, { step: { ...step, status: "pending" } }), NOW).words).toBe("waits for a free worker");
  });

  it("say how a run ended", () => {
    const failed = run(1, { status: "failed", active: false, step, error: { code: "x", message: "connection refused\nat line 3", details: {}, step: "install" } });
    expect(lineOf(failed, NOW)).toMatchObject({ label: "Install nodes", words: "connection refused", tone: "red" });
    expect(lineOf({ ...failed, step: null }, NOW).label).toBe("install");
    expect(lineOf(run(1, { status: "cancelled", active: false }), NOW).words).toBe("stopped before the first step was done");
    expect(lineOf(run(1, { stopping: true, step }), NOW).words).toBe("stopping");
  });

  it("say a span", () => expect([86_400, 3600, 2500, 61, 20].map(spanWords)).toEqual(["24 hours", "hour", "41 minutes", "minute", "20 seconds"]));
});

describe("the selection", () => {
  const order = ["a", "b", "c", "d"];

  it("takes one in and out", () => {
    const one = toggle(NOTHING, "b");
    expect([...one.ids]).toEqual(["b"]);
    expect(toggle(one, "b").ids.size).toBe(0);
  });

  it("reaches from the last to this one, in either direction", () => {
    expect([...extend(toggle(NOTHING, "b"), "d", order).ids]).toEqual(["b", "c", "d"]);
    expect([...extend(toggle(NOTHING, "c"), "a", order).ids].sort()).toEqual(["a", "b", "c"]);
  });

  it("is one alone when its beginning is not in the list", () => expect([...extend(NOTHING, "c", order).ids]).toEqual(["c"]));

  it("loses those that left the list", () => {
    const two = toggle(toggle(NOTHING, "a"), "d");
    expect([...within(two, new Set(["d"])).ids]).toEqual(["d"]);
    expect(within(two, new Set(order))).toBe(two);
  });
});

describe("rows in view", () => {
  it("are those in the window and some around", () => {
    expect(rowsInView(100, 600, 32, 1000, 10)).toEqual({ first: 0, end: 26 });
    expect(rowsInView(-3200, 640, 32, 1000, 10)).toEqual({ first: 90, end: 130 });
    expect(rowsInView(-3200, 640, 32, 105, 10)).toEqual({ first: 90, end: 105 });
    expect(rowsInView(0, 640, 32, 0)).toEqual({ first: 0, end: 0 });
  });
});

describe("controls of many", () => {
  const done = run(1, { status: "completed", active: false });
  const failed = run(2, { status: "failed", active: false });
  const busy = run(3);
  const paused = run(4, { status: "paused" });

  it("are sent for those that they do something to, and say which stay as they are", () => {
    const plan = planOf("stop", [done, failed, busy, paused]);
    expect(plan.title).toBe("Stop 2 runs?");
    expect(plan.ids).toEqual(["run-3", "run-4"]);
    expect(plan.says[1]).toBe("2 runs are left as they are: 1 completed, 1 failed.");
  });

  it("are not offered where nothing would happen", () => {
    expect(planOf("retry", [busy])).toEqual({ title: "Nothing to retry", says: ["1 run is left as it is: 1 running."], ids: [] });
    expect(wouldAct("pause", paused)).toBe(false);
    expect(wouldAct("resume", paused)).toBe(true);
    expect(wouldAct("stop", { ...busy, stopping: true })).toBe(false);
  });

  it("say how they went", () => {
    const refused = [{ workflowId: "run-1", message: "it has ended" }];
    expect(outcomeWords("stop", 3, [])).toBe("3 runs were asked to stop.");
    expect(outcomeWords("stop", 3, refused)).toBe("2 runs were asked to stop, 1 was refused.");
    expect(outcomeWords("stop", 1, refused)).toBe("It was refused.");
  });
});
