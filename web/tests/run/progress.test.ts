import { describe, expect, test } from "vitest";

import type { ProgressItem } from "../../src/api/types";
import { foldChecklist, hiddenWords, phaseState } from "../../src/run/progress/checklist";
import { percentOf, runPercent, stepPercent } from "../../src/run/progress/percent";
import { chain, run, step } from "./sample";

const items = (...states: ProgressItem["state"][]): ProgressItem[] => states.map((state, at) => ({ label: `item ${at}`, state }));

describe("percent", () => {
  test("what an attempt says of itself goes before what its items say", () => {
    expect(percentOf({ type: "checklist", percent: 12, items: items("completed", "completed"), clipped: false })).toBe(12);
  });
  test("a checklist without percent is as far as its items are, one in hand by its share", () => {
    const list: ProgressItem[] = [{ label: "a", state: "completed" }, { label: "b", state: "active", percent: 50 }, { label: "c", state: "pending" }, { label: "d", state: "failed" }];
    expect(percentOf({ type: "checklist", items: list, clipped: false })).toBe(62.5);
  });
  test("phases before the one in hand count whole", () => {
    const phases = [{ label: "a" }, { label: "b", percent: 40 }];
    expect(percentOf({ type: "multi_phase", phases, active_phase: 1, clipped: false })).toBe(70);
  });
  test("a message alone says nothing of how far it is", () => {
    expect(percentOf({ type: "simple", message: "Connecting", clipped: false })).toBeNull();
  });
  test("a step in progress without percent is unknown, one that failed is not full", () => {
    expect(stepPercent(step("a", { status: "in_progress" }))).toBeNull();
    expect(stepPercent(step("a", { status: "failed", progress: { type: "percentage", percent: 90, clipped: false } }))).toBe(0);
  });
  test("a run counts the share of the step in hand, and is full only when it completed", () => {
    const half = chain({ key: "a", status: "completed" }, { key: "b", status: "in_progress", progress: { type: "percentage", percent: 50, clipped: false } });
    expect(runPercent(run(half))).toBe(75);
    const done = chain({ key: "a", status: "completed" }, { key: "b", status: "skipped" });
    expect(runPercent(run(done))).toBeLessThan(100);
    expect(runPercent(run(done, { status: "completed" }))).toBe(100);
  });
});

describe("a checklist", () => {
  test("that is short is shown whole", () => {
    const folded = foldChecklist(items("completed", "active", "pending"));
    expect(folded.shown).toHaveLength(3);
    expect(folded.hidden).toEqual([]);
  });
  test("that is long shows what is in hand or failed, and counts the others", () => {
    const folded = foldChecklist(items(...Array<"completed">(30).fill("completed"), "active", "failed", ...Array<"pending">(9).fill("pending")));
    expect(folded.shown.map(({ item }) => item.state)).toEqual(["active", "failed"]);
    expect(hiddenWords(folded)).toBe("30 completed, 9 pending");
    expect([folded.done, folded.failed, folded.total]).toEqual([30, 1, 41]);
  });
  test("with a hundred failures shows some and counts the rest as failed", () => {
    const folded = foldChecklist(items(...Array<"failed">(100).fill("failed")));
    expect(folded.shown.length + folded.hidden[0]!.count).toBe(100);
    expect(folded.hidden[0]!.state).toBe("failed");
  });
  test("can be unfolded", () => {
    expect(foldChecklist(items(...Array<"pending">(50).fill("pending")), true).shown).toHaveLength(50);
  });
});

test("phases before the one in hand are done, those behind it are not begun", () => {
  expect([0, 1, 2].map((place) => phaseState(place, 1))).toEqual(["completed", "active", "pending"]);
  expect(phaseState(0, null)).toBe("pending");
});
