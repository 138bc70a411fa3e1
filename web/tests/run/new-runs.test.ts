import { expect, it } from "vitest";

import { Problem, Unreachable } from "../../src/api/client";
import type { RunFeed } from "../../src/live/feed";
import { type Asked, sendNew } from "../../src/run/controls/asking";

const feed = { runId: "run-1", refresh: async () => {} } as unknown as RunFeed;
let places = 0;
/** A control that no other test asked for. */
const control = (): Asked => ({ control: "fork", step: `step-${(places += 1)}` });

/** Press a button once for each answer: the ids that were sent, and what came of it. */
async function press(asked: Asked, ...answers: (object | Error)[]) {
  const ids: string[] = [];
  const came: unknown[] = [];
  for (const answer of answers) {
    came.push(await sendNew(feed, asked, "fork", async (newId) => {
      ids.push(newId);
      if (answer instanceof Error) throw answer;
      return answer;
    }));
  }
  return { ids, came };
}
const began = { created: true };
const exists = new Problem(409, { code: "run_exists", detail: "the workflow_id was already used", where: "/workflow_id" });

it("a new run has an id like those of the server", async () => {
  const { ids } = await press(control(), began);
  expect(ids[0]).toMatch(/^workflow_\d{13}_[0-9a-f]{8}$/);
});

it("a lost answer is said to do no harm, and the same id is sent until an answer comes", async () => {
  const { ids, came } = await press(control(), new Unreachable(), new Problem(503, {}), began, began);
  expect(new Set(ids.slice(0, 3)).size).toBe(1);
  expect(ids[3]).not.toBe(ids[0]);
  const problem = "Failed to fork: no answer came. Sending it again does no harm: only one run begins.";
  expect(came).toEqual([{ problem, where: null, runId: null }, { problem, where: null, runId: null }, { answer: began }, { answer: began }]);
});

it("a refusal says nothing about the try before it, so the id stays", async () => {
  const { ids, came } = await press(control(), new Unreachable(), new Problem(429, { detail: "too many" }), began);
  expect(new Set(ids).size).toBe(1);
  expect(came[1]).toMatchObject({ problem: "Failed to fork: too many" });
});

it("leads to the run that an earlier try made of other parameters, and begins another one only after that was said", async () => {
  const { ids, came } = await press(control(), new Unreachable(), exists, began);
  expect(ids[1]).toBe(ids[0]);
  expect(came[1]).toEqual({ problem: expect.stringContaining("an earlier try"), where: null, runId: ids[0] });
  expect(ids[2]).not.toBe(ids[0]);
});

it("another control or step makes another run", async () => {
  const first = await press(control(), new Unreachable());
  const second = await press(control(), began);
  expect(second.ids[0]).not.toBe(first.ids[0]);
});
