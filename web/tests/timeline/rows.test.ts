import { describe, expect, it } from "vitest";

import type { Attempt, StepOfPage, TraceEntry } from "../../src/api/types";
import { shortTime } from "../../src/format/times";
import { attemptLines } from "../../src/run/panel/attempts";
import { lineWords, timelineRows, waitLabel, waitWords, wholeTime } from "../../src/run/timeline/rows";
import { runPhases } from "../../src/run/trace/entries";

const START = Date.parse("2026-01-01T00:00:00Z");
const at = (seconds: number) => new Date(START + seconds * 1000).toISOString();
const ms = (seconds: number) => START + seconds * 1000;

function step(key: string, more: Partial<StepOfPage> = {}): StepOfPage {
  return {
    index: 0, key, action: "noop", label: key, status: "pending", ready: false, waiting_for: null, until: null, stopping: false, attempt: 0,
    failures: 0, max_attempts: 3, needs: [], needs_total: 0, made_by: null, start_time: null, end_time: null, duration_ms: null,
    result: null, error: null, progress: null, attempts: [], ...more,
  };
}
const attempt = (number: number, outcome: Attempt["outcome"], from: number, to: number): Attempt => ({
  attempt: number, outcome, worker: "w", start_time: at(from), end_time: at(to), duration_ms: (to - from) * 1000, resources: null,
  error: null,
});

describe("attempts with waits between them", () => {
  it("tells ended ones, the wait after a failure, and the one that goes on", () => {
    const one = step("a", { status: "in_progress", attempt: 2, start_time: at(9) });
    const lines = attemptLines({ attempts: [attempt(1, "failed", 1, 4)] }, one);
    expect(lines.map((line) => line.kind === "wait" ? [line.words, line.from, line.to] : [line.attempt, line.start, line.end])).toEqual([
      [1, ms(1), ms(4)], ["waited to try again", ms(4), ms(9)], [2, ms(9), null],
    ]);
  });

  it("tells what it waits for now and until when", () => {
    const one = step("a", { waiting_for: "retry", until: at(20), attempt: 1 });
    expect(attemptLines({ attempts: [attempt(1, "failed", 1, 4)] }, one)[1]).toEqual({
      kind: "wait", words: "waits to try again", short: "retry", why: null, from: ms(4), to: null, until: ms(20),
    });
  });

  it("knows the attempt that just ended before it is read", () => {
    const one = step("a", { status: "completed", attempt: 1, start_time: at(1), end_time: at(3) });
    expect(attemptLines({ attempts: [] }, one)).toMatchObject([{ attempt: 1, status: "completed", start: ms(1), end: ms(3) }]);
  });
});

describe("rows of the timeline", () => {
  it("show the wait for a turn from the end of what is needed", () => {
    const first = step("a", { status: "completed", attempt: 1, start_time: at(0), end_time: at(2), attempts: [attempt(1, "completed", 0, 2)] });
    const second = step("b", { index: 1, needs: ["a"], needs_total: 1, status: "completed", attempt: 1, start_time: at(7), end_time: at(8), attempts: [attempt(1, "completed", 7, 8)] });
    const [, row] = timelineRows([first, second], [], START);
    expect(row!.lines[0]).toMatchObject({ kind: "wait", from: ms(2), to: ms(7) });
  });

  it("begin a wait without an attempt at the end of what is needed", () => {
    const first = step("a", { status: "completed", attempt: 1, start_time: at(0), end_time: at(2) });
    const second = step("b", { index: 1, needs: ["a"], needs_total: 1, waiting_for: "delay", until: at(9) });
    const [, row] = timelineRows([first, second], [], START);
    expect(row!.lines).toEqual([{ kind: "wait", words: "waits out its delay", short: "delay", why: null, from: ms(2), to: null, until: ms(9) }]);
    expect(lineWords(row!.lines[0]!, ms(5))).toBe(`waits out its delay, until ${shortTime(ms(9), ms(5))}, 3.0 s, 4.0 s left`);
  });

  it("say why each wait is, and until when where that is known", () => {
    const refused = { code: "refused", message: "connection refused\nsecond line", step: null, details: {} };
    const one = step("a", { waiting_for: "retry", until: at(20), attempt: 2, failures: 2, attempts: [{ ...attempt(1, "failed", 1, 4), error: refused }, { ...attempt(2, "failed", 6, 7), error: refused }] });
    const waits = timelineRows([one], [], START)[0]!.lines.filter((line) => line.kind === "wait");
    const until = shortTime(ms(20), ms(10));
    expect(waits.map((wait) => waitWords(wait, ms(10)))).toEqual([
      "waited for its turn", "waited to try again: connection refused", `waits to try again: connection refused, until ${until}`,
    ]);
    expect(waits.map((wait) => waitLabel(wait, ms(10)))).toEqual(["turn", "retry", `retry · until ${until}`]);
  });

  it("know a word for every reason to wait", () => {
    for (const reason of ["retry", "delay", "lock", "rate_limit", "breaker", "throttled", "signal"] as const) {
      const [line] = timelineRows([step("a", { waiting_for: reason })], [], START)[0]!.lines;
      expect(line).toMatchObject({ kind: "wait", words: expect.stringMatching(/^waits /), short: expect.stringMatching(/^[a-z ]+$/) });
    }
  });

  it("leave out the time in which the run had ended", () => {
    const one = step("a", { status: "completed", attempt: 2, start_time: at(100), end_time: at(101), attempts: [attempt(1, "failed", 1, 4), attempt(2, "completed", 100, 101)] });
    const [row] = timelineRows([one], [{ kind: "ended", from: ms(4), to: ms(99) }], START);
    expect(row!.lines.filter((line) => line.kind === "wait").map((line) => [line.from, line.to])).toEqual([[ms(0), ms(1)], [ms(99), ms(100)]]);
  });

  it("take the whole time, to now while it goes on", () => {
    const rows = timelineRows([step("a", { status: "in_progress", attempt: 1, start_time: at(1) })], [], START);
    expect(wholeTime(rows, START, ms(30), true)).toEqual({ from: ms(0), to: ms(30) });
  });
});

describe("phases of a run", () => {
  const entry = (seq: number, status: TraceEntry["status"]): TraceEntry => ({ seq, time: at(seq), kind: "x", index: null, key: null, attempt: null, status, detail: null, omitted: 0 });
  it("are when it was paused and when it had ended", () => {
    expect(runPhases([entry(1, "running"), entry(2, "paused"), entry(5, "running"), entry(6, null), entry(9, "failed"), entry(20, "running"), entry(30, "completed")])).toEqual([
      { kind: "paused", from: ms(2), to: ms(5) }, { kind: "ended", from: ms(9), to: ms(20) }, { kind: "ended", from: ms(30), to: null },
    ]);
  });
});
