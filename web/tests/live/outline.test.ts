import { expect, test } from "vitest";

import { sameButProgress } from "../../src/live/outline";
import { run, step } from "../run/sample";

const busy = step("a", { index: 0, status: "in_progress", progress: { type: "percentage", percent: 10, clipped: false } });
const asks = step("b", { index: 1, waiting_for: "signal", progress: { type: "simple", message: "Ship it?", clipped: false } });
const before = run([busy, asks]);

test("how far a step in progress is makes no other outline, nor does the document's own time", () => {
  const further = { ...busy, progress: { ...busy.progress!, percent: 20 } };
  expect(sameButProgress(before, { ...before, steps: [further, asks], last_update: "2026-01-02T03:04:05Z" })).toBe(true);
});

test("anything else does", () => {
  const others = [
    { ...before, status: "paused" as const },
    { ...before, counts: { ...before.counts } },
    { ...before, steps: [busy] },
    { ...before, steps: [{ ...busy, attempt: busy.attempt + 1 }, asks] },
    { ...before, steps: [busy, { ...asks, progress: { ...asks.progress!, message: "Really?" } }] },
    { ...before, steps: [{ ...busy, status: "completed" as const }, asks] },
  ];
  for (const other of others) expect(sameButProgress(before, other)).toBe(false);
});
