import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { backoffMs } from "../../src/live/backoff";
import { paced } from "../../src/live/pace";
import { isBehind, stepTo } from "../../src/live/position";
import { share } from "../../src/live/share";
import { worst } from "../../src/live/worst";

describe("places in a stream", () => {
  it.each([
    [null, 5, 9, "next"],
    ["0-0", 5, 1, "next"],
    ["0-0", 5, 3, "gap"],
    ["5-3", 5, 4, "next"],
    ["5-3", 5, 3, "again"],
    ["5-3", 5, 1, "again"],
    ["5-3", 5, 6, "gap"],
    ["5-3", 6, 1, "gap"],
    ["5-3", 4, 4, "gap"],
    ["1763700000123-16", 1763700000123, 17, "next"],
  ] as const)("after %s the event %d-%d is %s", (last, epoch, seq, expected) => {
    expect(stepTo(last, { epoch, seq })).toBe(expected);
  });

  it("are not compared across epochs", () => {
    expect(isBehind({ epoch: 5, seq: 1 }, "6-9")).toBe(false);
    expect(isBehind({ epoch: 6, seq: 9 }, "6-9")).toBe(true);
    expect(isBehind({ epoch: 6, seq: 10 }, "6-9")).toBe(false);
    expect(isBehind({ epoch: 6, seq: 1 }, null)).toBe(false);
  });
});

describe("sharing", () => {
  it("keeps what is equal and takes what is not", () => {
    const before = { a: [1, { b: 2 }], c: { d: "x" }, e: null };
    expect(share(before, structuredClone(before))).toBe(before);
    const next = share(before, { a: [1, { b: 3 }], c: { d: "x" }, e: null });
    expect(next).toEqual({ a: [1, { b: 3 }], c: { d: "x" }, e: null });
    expect(next.c).toBe(before.c);
    expect(next.a).not.toBe(before.a);
  });

  it.each([
    [{ a: 1, b: 2 }, { a: 1 }],
    [{ a: 1 }, { a: 1, b: undefined }],
    [{ a: undefined }, { b: undefined }],
    [[1, 2], [1]],
    [[1], [1, 2]],
    [[], {}],
    [null, {}],
    [{ a: null }, { a: {} }],
    ["1", 1],
  ])("tells %j from %j", (before, after) => {
    expect(share<unknown>(before, after)).toEqual(after);
    expect(share<unknown>(before, after)).not.toBe(before);
  });
});

describe("waiting after failures", () => {
  it("grows from about a second to 15 s, never longer", () => {
    const waits = [1, 2, 3, 4, 5, 50].map((failures) => backoffMs(failures, () => 0.5));
    expect(waits).toEqual([1000, 2000, 4000, 8000, 15_000, 15_000]);
    expect(backoffMs(1, () => 0)).toBe(875);
    expect(backoffMs(9, () => 0.999)).toBeLessThanOrEqual(15_000);
  });
});

describe("the worst of several connections", () => {
  it("is live only when all are", () => {
    expect(worst([{ kind: "live" }, { kind: "live" }])).toEqual({ kind: "live" });
    expect(worst([{ kind: "live" }, { kind: "polling", everyMs: 2000 }])).toEqual({ kind: "polling", everyMs: 2000 });
    expect(worst([{ kind: "offline", asOf: 9 }, { kind: "live" }, { kind: "offline", asOf: 5 }])).toEqual({ kind: "offline", asOf: 5 });
    expect(worst([{ kind: "polling", everyMs: 2000 }, { kind: "polling", everyMs: 15_000 }])).toEqual({ kind: "polling", everyMs: 15_000 });
  });
});

describe("work a few times a second", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it("is done once however often it is asked for, in a task of its own", () => {
    const run = vi.fn();
    const { ask } = paced(run);
    for (let count = 0; count < 20; count += 1) ask();
    expect(run).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1000);
    expect(run).toHaveBeenCalledTimes(1);
    ask();
    vi.advanceTimersByTime(0);
    expect(run).toHaveBeenCalledTimes(2);
  });

  it("is not done when it was called off", () => {
    const run = vi.fn();
    const { ask, cancel } = paced(run, 100);
    ask();
    cancel();
    vi.advanceTimersByTime(1000);
    expect(run).not.toHaveBeenCalled();
    ask();
    vi.advanceTimersByTime(0);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("is done at once after a while, and then no more often than it may be", () => {
    const run = vi.fn();
    const { ask } = paced(run, 100);
    ask();
    vi.advanceTimersByTime(0);
    expect(run).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(20);
    ask();
    ask();
    vi.advanceTimersByTime(79);
    expect(run).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledTimes(2);
    vi.advanceTimersByTime(500);
    ask();
    vi.advanceTimersByTime(0);
    expect(run).toHaveBeenCalledTimes(3);
  });

  it("waits no longer when the clock of the device is set back", () => {
    const run = vi.fn();
    const { ask } = paced(run, 100);
    ask();
    vi.advanceTimersByTime(0);
    vi.setSystemTime(Date.now() - 3_600_000);
    ask();
    vi.advanceTimersByTime(100);
    expect(run).toHaveBeenCalledTimes(2);
  });

  it("may be asked for again from within", () => {
    let left = 3;
    const { ask } = paced(() => { if (--left > 0) ask(); }, 100);
    ask();
    vi.advanceTimersByTime(200);
    expect(left).toBe(0);
  });
});
