import { afterEach, describe, expect, it, vi } from "vitest";

import { backoffMs } from "../../src/live/backoff";
import { perFrame } from "../../src/live/frames";
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

describe("work once a frame", () => {
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  function frames() {
    vi.useFakeTimers();
    const asked = new Map<number, () => void>();
    let last = 0;
    vi.stubGlobal("requestAnimationFrame", (run: () => void) => (asked.set(++last, run), last));
    vi.stubGlobal("cancelAnimationFrame", (id: number) => asked.delete(id));
    return {
      draw: () => {
        const due = [...asked.values()];
        asked.clear();
        for (const run of due) run();
      },
      asked,
    };
  }

  it("is done once however often it is asked for", () => {
    const { draw, asked } = frames();
    const run = vi.fn();
    const { ask } = perFrame(run);
    for (let count = 0; count < 20; count += 1) ask();
    expect(asked.size).toBe(1);
    expect(run).not.toHaveBeenCalled();
    draw();
    expect(run).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(1000);
    expect(run).toHaveBeenCalledTimes(1);
    ask();
    draw();
    expect(run).toHaveBeenCalledTimes(2);
  });

  it("is done without frames on a hidden page, and not when it was called off", () => {
    const { asked } = frames();
    const run = vi.fn();
    const { ask, cancel } = perFrame(run);
    ask();
    vi.advanceTimersByTime(250);
    expect(run).toHaveBeenCalledTimes(1);
    expect(asked.size).toBe(0);
    ask();
    cancel();
    vi.advanceTimersByTime(1000);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("is done at once after a while, and then no more often than it may be", () => {
    const { draw, asked } = frames();
    const run = vi.fn();
    const { ask } = perFrame(run, 100);
    ask();
    draw();
    expect(run).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(20);
    ask();
    ask();
    vi.advanceTimersByTime(79);
    expect(asked.size).toBe(0);
    vi.advanceTimersByTime(1);
    draw();
    expect(run).toHaveBeenCalledTimes(2);
    vi.advanceTimersByTime(500);
    ask();
    expect(asked.size).toBe(1);
  });

  it("may be asked for again from within", () => {
    const { draw } = frames();
    let left = 3;
    const { ask } = perFrame(() => { if (--left > 0) ask(); });
    ask();
    draw();
    draw();
    draw();
    expect(left).toBe(0);
  });
});
