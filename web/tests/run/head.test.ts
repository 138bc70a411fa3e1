import { describe, expect, test } from "vitest";

import { remainingMs, remainingWords, roughly } from "../../src/run/head/estimate";
import { announcement, awayLine, pageTitle, quietLine, summaryLine } from "../../src/run/head/sentences";
import { chain, run, step } from "./sample";

const NOW = Date.parse("2026-01-01T12:00:00.000Z");
const ago = (ms: number) => new Date(NOW - ms).toISOString();

describe("what the page says of the whole run", () => {
  const busy = chain({ key: "a", status: "completed" }, { key: "b", status: "in_progress" }, { key: "c" });
  test("a run that goes on can be left alone", () => {
    expect(quietLine(run(busy, { current_step: 1 }), null)).toBe("Step 2 of 3 is running on the server; you can close this page.");
    expect(quietLine(run(busy, { current_step: 1 }), "reconnected")).toBe("Reconnected: step 2 of 3; you can close this page.");
    expect(quietLine(run(busy), "started")).toContain("Started on the server as run-1");
  });
  test("several steps at once are counted", () => {
    const both = [step("a", { status: "in_progress" }), step("b", { status: "in_progress" })];
    expect(quietLine(run(both), null)).toBe("2 of 2 steps are running on the server; you can close this page.");
  });
  test("stopping and paused go before how the page came here", () => {
    expect(quietLine(run(busy, { current_step: 1, stopping: true }), "reconnected")).toContain("Stopping");
    expect(quietLine(run(busy, { current_step: 1, status: "paused" }), null)).toContain("still runs to the end");
    expect(quietLine(run(chain({ key: "a", waiting_for: "signal" })), null)).toBe("Step 1 of 1 waits for an answer on the server; you can close this page.");
  });
  test("while the server is away it is said of when the picture is", () => {
    expect(awayLine("16:31:06")).toContain("this is how it was at 16:31:06. The run goes on there");
    expect(awayLine(null)).not.toContain("how it was");
  });
  test("nothing quiet is said of a run that ended", () => expect(quietLine(run(busy, { active: false }), null)).toBeNull());

  const ended = { active: false, end_time: new Date(NOW + 252_000).toISOString() };
  test("a summary counts steps, time and retries", () => {
    const steps = chain({ key: "a", status: "completed", failures: 1 }, { key: "b", status: "skipped" });
    expect(summaryLine(run(steps, { ...ended, status: "completed" }))).toBe("2 steps in 4 m 12 s, 1 retry, 1 skipped");
  });
  test("the last failure of a failed step is no retry", () => {
    const steps = chain({ key: "a", status: "failed", failures: 1 });
    expect(summaryLine(run(steps, { ...ended, status: "failed" }))).toBe("Failed after 4 m 12 s: 0 of 1 step completed, 1 failed");
  });
  test("an end is announced once, with the step and why", () => {
    const steps = chain({ key: "a", status: "failed", label: "Install" });
    const failed = run(steps, { ...ended, status: "failed", error: { code: "x", message: "no space", step: "a" } });
    expect(announcement(run(steps), failed)).toBe("Failed at Install: no space");
    expect(announcement(failed, failed)).toBeNull();
    expect(announcement(run(steps), run(steps, { status: "cancelled" }))).toBe("Stopped.");
  });
  test("the window's title has mark and percent while the run goes on", () => {
    expect(pageTitle(run(busy), 38.7)).toBe("▶ 38 % Nightly scan");
    expect(pageTitle(run(busy, { ...ended, status: "completed" }), 100)).toBe("✓ Nightly scan");
    expect(pageTitle(run(busy, { stopping: true }), 50)).toBe("■ 50 % Nightly scan");
  });
});

describe("what is left", () => {
  const known = { samples: 3, run_ms: 60_000, steps: { a: 10_000, b: 20_000, c: 30_000 } };
  test("is the sum along a chain, less what is done", () => {
    const steps = chain({ key: "a", status: "completed" }, { key: "b", status: "in_progress", start_time: ago(5000) }, { key: "c" });
    expect(remainingMs(run(steps), known, NOW)).toBe(45_000);
  });
  test("is the longest way where the run branches", () => {
    const steps = [step("a", { status: "in_progress", start_time: ago(0) }), step("b", { needs: ["a"] }), step("c", { needs: ["a"] })];
    expect(remainingMs(run(steps), known, NOW)).toBe(40_000);
  });
  test("trusts what the step says of itself once it has come some way", () => {
    const steps = chain({ key: "a", status: "in_progress", start_time: ago(30_000), progress: { type: "percentage", percent: 75, clipped: false } });
    expect(remainingMs(run(steps), known, NOW)).toBe(10_000);
  });
  test("says so when it takes longer than usual", () => {
    const steps = chain({ key: "a", status: "in_progress", start_time: ago(25_000) });
    expect(remainingWords(remainingMs(run(steps), known, NOW))).toBe("longer than usual");
  });
  test("is not guessed without earlier runs, nor while nothing goes on", () => {
    const steps = chain({ key: "a" });
    expect(remainingMs(run(steps), { ...known, samples: 0 }, NOW)).toBeNull();
    expect(remainingMs(run(steps, { status: "paused" }), known, NOW)).toBeNull();
    expect(remainingWords(null)).toBeNull();
  });
  test("of a run that is not known whole is that of the run", () => {
    expect(remainingMs(run(chain({ key: "z" }), { steps_truncated: true, start_time: ago(20_000) }), known, NOW)).toBe(40_000);
  });
  test("is rounded to what an estimate can promise", () => {
    expect([12_000, 58_000, 250_000, 5_400_000].map(roughly)).toEqual(["10 s", "1 m", "4 m", "1 h 30 m"]);
  });
});
