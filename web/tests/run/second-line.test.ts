import { describe, expect, test } from "vitest";

import { countdown } from "../../src/run/steps/countdown";
import { pairs, resultLine } from "../../src/run/steps/resultLine";
import { nextTry, secondLine, unmetNeeds } from "../../src/run/steps/secondLine";
import { heldBy } from "../../src/run/steps/waitsFor";
import { step } from "./sample";

const UNTIL = "2026-01-01T12:00:12.000Z";
const around = { runStatus: "running" as const, needs: "" };
const said = (line: ReturnType<typeof secondLine>) => [line.text, ...line.after].join(" · ");

describe("a step that waits says for what", () => {
  test("a retry: the countdown, the next attempt, and why the last one failed", () => {
    const line = secondLine(step("a", { waiting_for: "retry", until: UNTIL, failures: 2, max_attempts: 5, error: { code: "refused", message: "connection refused\nat 10.0.0.1" } }), around);
    expect(line).toMatchObject({ text: "retry in", untilMs: Date.parse(UNTIL), due: "retry is due", tone: "amber" });
    expect(line.after).toEqual(["attempt 3 of 5", "connection refused"]);
  });
  test("a signal: the question, without a countdown where there is no end", () => {
    const progress = { type: "simple" as const, message: "Deploy to production?", clipped: false };
    expect(secondLine(step("a", { waiting_for: "signal", progress }), around)).toMatchObject({ text: "Deploy to production?", untilMs: null });
    expect(secondLine(step("a", { waiting_for: "signal", progress, until: UNTIL }), around).untilMs).toBe(Date.parse(UNTIL));
  });
  test.each([
    ["lock", "a lock"], ["rate_limit", "the rate limit"], ["breaker", "the circuit breaker"], ["throttled", "the load"], ["delay", "begins in"],
  ] as const)("%s, also where it is not told on what", (reason, words) => {
    expect(secondLine(step("a", { waiting_for: reason, until: UNTIL }), around).text).toContain(words);
  });
  test.each([
    ["lock", "lock:file:/x", "waits for the lock file:/x · gives up in"],
    ["lock", "place:gpu", "waits for a place at gpu · gives up in"],
    ["rate_limit", "rate:openai", "rate limit openai · turn in"],
    ["breaker", "breaker:demo-agent", "breaker of demo-agent is open · probe in"],
  ] as const)("%s: %s by its name, and until when", (reason, on, words) => {
    const line = secondLine(step("a", { waiting_for: reason, waiting_on: on, until: UNTIL }), around);
    expect([line.text, line.untilMs]).toEqual([words, Date.parse(UNTIL)]);
  });
  test("load: by how high it is", () => {
    expect(secondLine(step("a", { waiting_for: "throttled", waiting_on: "throttle:host-a", why: "cpu at 97 %" }), around).text).toBe("throttled: cpu at 97 %");
  });
  test("a lock: who has held it longest, and how many besides", () => {
    const held = (workflow_id: string) => ({ workflow_id, step: "note", since: UNTIL, for_run: false });
    expect(heldBy(step("a", { waiting_for: "lock", held_by: [held("run-2"), held("run-3")] }))).toEqual({ runId: "run-2", step: "note", since: UNTIL, forRun: false, others: 1 });
    expect(heldBy(step("a", { waiting_for: "lock", held_by: [] }))).toBeNull();
    expect(heldBy(step("a", { waiting_for: null, held_by: [held("run-2")] }))).toBeNull();
  });
  test("while the run is paused nothing goes on when the time comes", () => {
    const paused = { ...around, runStatus: "paused" as const };
    expect(secondLine(step("a", { waiting_for: "retry", until: UNTIL }), paused).after).toContain("held while the run is paused");
    expect(secondLine(step("a", { ready: true }), paused).text).toBe("held while the run is paused");
  });
  test("a step that has not begun names what it needs", () => {
    expect(said(secondLine(step("a"), { ...around, needs: "Scan, Build" }))).toBe("needs Scan, Build");
  });
});

describe("a step that runs or ended", () => {
  test("says its message and the attempt when there was one before", () => {
    const line = secondLine(step("a", { status: "in_progress", failures: 1, progress: { type: "simple", message: "Copying", detail: "file 3\nof 9", clipped: false } }), around);
    expect(said(line)).toBe("Copying · file 3 · attempt 2 of 3");
  });
  test("says its result, and how often it was tried", () => {
    const result = { success: true, message: null, details: { host: "6ecc5da8c823", uptime: "6 days" }, clipped: false };
    expect(said(secondLine(step("a", { status: "completed", failures: 2, result }), around))).toBe("host: 6ecc5da8c823 · uptime: 6 days · after 2 retries");
  });
  test("says the first line of its error", () => {
    expect(said(secondLine(step("a", { status: "failed", failures: 3, error: { code: "x", message: "no route\nto host" } }), around))).toBe("no route · after 3 attempts");
  });
  test("that was cancelled says whether it had begun", () => {
    expect(secondLine(step("a", { status: "cancelled" }), around).text).toBe("cancelled before it began");
    expect(secondLine(step("a", { status: "cancelled", start_time: UNTIL, error: { code: "cancelled", message: "stopped on request" } }), around).text).toBe("stopped on request");
  });
});

test("the attempt that comes next counts failures, not lost attempts", () => {
  expect(nextTry({ failures: 2, max_attempts: 5 })).toBe("attempt 3 of 5");
  expect(nextTry({ failures: 0, max_attempts: null })).toBe("attempt 1");
});

test("needs that are satisfied are left out, many are counted", () => {
  const known = new Map([["a", step("a", { status: "completed" })], ["b", step("b", { label: "Build" })], ["c", step("c", { status: "in_progress" })]]);
  const find = (key: string) => known.get(key);
  expect(unmetNeeds(step("x", { needs: ["a", "b", "c"], needs_total: 3 }), find)).toBe("Build, c");
  expect(unmetNeeds(step("x", { needs: ["b", "c", "d", "e"], needs_total: 30 }), find)).toBe("Build, c, d and 27 more");
});

describe("a result in one line", () => {
  test("is its message, cut and without breaks", () => {
    expect(resultLine({ success: true, message: "host 6ecc\n up 6 days", details: { a: 1 }, clipped: false })).toBe("host 6ecc up 6 days");
    expect(resultLine({ success: true, message: "x".repeat(1000), clipped: false })).toHaveLength(300);
  });
  test("or its details, with what is nested counted", () => {
    expect(pairs({ free_gb: 12.5, ok: true, none: null, list: ["a", "b"], long: [1, 2, 3, 4, 5], nested: { a: 1 } }))
      .toBe("free gb: 12.5 · ok: true · none: none · list: a, b · long: 5 items · nested: 1 field");
  });
  test("is empty when there is nothing", () => expect(resultLine({ success: true, details: {}, clipped: false })).toBe(""));
});

test("a countdown never shows less than a second, nor seconds that are over", () => {
  expect(countdown(1)).toBe("1 s");
  expect(countdown(12_000)).toBe("12 s");
  expect(countdown(135_000)).toBe("2 m 15 s");
});
