import { expect, it } from "vitest";

import type { Action } from "../../src/api/types";
import { faultsOf } from "../../src/start/check";
import { draftOf, withKey, withStep } from "../../src/start/draft";
import { keysLike } from "../../src/start/many";

const action = {
  name: "work", summary: "", queue: "q", idempotent: true, killable: true, needs_host: false, accepts_signal: false, role: "operator", timeout_s: 60, preset: [],
  retry: {}, parameters: { type: "object", properties: { note: { type: "string" } }, required: ["note"] },
} as unknown as Action;
const known = { actions: new Map([["work", action]]), may: () => true, role: "operator" as const };
const COUNT = 5000;
const chain = { steps: Array.from({ length: COUNT }, (_, n) => ({ key: `s${n}`, action: "work", needs: n === 0 ? [] : [`s${n - 1}`], params: { note: n === 0 ? "x" : `{{ steps.s${n - 1}.result.x }}` } })) };

it("one change of thousands of steps checks that step, and leaves all others the same objects", () => {
  const draft = draftOf(chain);
  expect(faultsOf(draft, known)).toEqual({});
  const id = draft.steps[2500]!.id;
  const next = withStep(draft, id, { params: {} });
  expect(next.steps.filter((step, index) => step !== draft.steps[index])).toHaveLength(1);
  expect(faultsOf(next, known)).toEqual({ [`/steps/${id}/params/note`]: "Required." });
  const renamed = withKey(draft, id, "middle");
  expect(renamed.steps.filter((step, index) => step !== draft.steps[index]).map((step) => step.key)).toEqual(["middle", "s2501"]);
});

it("a step among thousands is found by a part of its key, those that begin with it first", () => {
  const keys = ["b_scan", "scan", "Scan_2", "other", ...Array.from({ length: 3000 }, (_, n) => `x${n}`)];
  expect(keysLike(keys, "scan", [])).toEqual(["scan", "Scan_2", "b_scan"]);
  expect(keysLike(keys, "scan", ["scan"])).toEqual(["Scan_2", "b_scan"]);
  expect(keysLike(keys, "x", [])).toHaveLength(20);
});
