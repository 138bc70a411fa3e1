import { expect, test } from "vitest";

import { added, type Load } from "../../src/workers/load";

const NOTHING: Load = { at: [], ready: [], working: [] };

test("each answer is a point", () => {
  expect(added(added(NOTHING, 100, 1, 2), 102, 3, 4)).toEqual({ at: [100, 102], ready: [1, 3], working: [2, 4] });
});

test("a time of which nothing is known is a gap", () => {
  expect(added(added(NOTHING, 100, 1, 2), 200, 3, 4)).toEqual({ at: [100, 101, 200], ready: [1, null, 3], working: [2, null, 4] });
});

test("what is kept is bounded, and of equal length", () => {
  let load = NOTHING;
  for (let at = 0; at < 4000; at += 2) load = added(load, at, 0, 0);
  expect(load.at).toHaveLength(1800);
  expect(load.ready).toHaveLength(1800);
  expect(load.at[1799]).toBe(3998);
});
