import { expect, test } from "vitest";

import { asleep, step, type Input, type Machine } from "../../src/live/machine";

/** Takes in what happens, each with its time; answers how things stand. */
function after(inputs: readonly [number, Input][]): Machine {
  return inputs.reduce((machine, [at, input]) => step(machine, input, { at, pollMs: 2000, random: () => 0.5 }).machine, asleep);
}

// As the feeds of runs and of messages tell it: an answer that was short may have ended before they joined.
test("who joins without a place in the stream reads again at once, not at the next check", () => {
  const joined = after([
    [0, { it: "opened", seen: true }], [50, { it: "answered", changed: true }], [100, { it: "socket-up" }], [120, { it: "joined" }], [120, { it: "incomplete", unseen: true }],
  ]);
  expect(joined.socket).toBe("joined");
  expect(joined.due).toBeLessThanOrEqual(600);
});
