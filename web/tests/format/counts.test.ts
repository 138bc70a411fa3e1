import { expect, it } from "vitest";

import { counted, countedOf } from "../../src/format/counts";
import { runLabel } from "../../src/start/summary";

it("says one of a thing in the singular, and none and many in the plural", () => {
  expect([0, 1, 2, 2000].map((count) => counted(count, "step"))).toEqual(["0 steps", "1 step", "2 steps", "2,000 steps"]);
  expect([1, 3].map((count) => counted(count, "entry", "entries"))).toEqual(["1 entry", "3 entries"]);
  expect([countedOf(3, 8, "step"), countedOf(1, 1, "step"), countedOf(0, 1, "step is", "steps are")]).toEqual(["3 of 8 steps", "1 of 1 step", "0 of 1 step is"]);
});

it("names on the button what it starts", () => {
  expect([runLabel(10, 10), runLabel(4, 10), runLabel(1, 10), runLabel(1, 1), runLabel(0, 1), runLabel(2000, 2000)]).toEqual([
    "Run all 10 steps", "Run 4 steps", "Run 1 step", "Run 1 step", "Run", "Run all 2,000 steps",
  ]);
});
