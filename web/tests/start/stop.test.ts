import { beforeEach, expect, it, vi } from "vitest";

import { Problem, Unreachable } from "../../src/api/client";
import { useStop } from "../../src/start/useStop";
import { runHook } from "./hook";

const said: string[] = [];
let answer: () => Promise<unknown>;
let sentIn: Promise<void>;
vi.mock("../../src/parts/notices", () => ({ say: (text: string) => said.push(text) }));
vi.mock("../../src/api/client", async (original) => ({ ...(await original<object>()), post: () => sentIn.then(answer) }));
beforeEach(() => { said.length = 0; });

const run = { workflow_id: "run-a", stopping: false };
const pressed = async () => {
  const refresh = vi.fn();
  let arrive = () => {};
  sentIn = new Promise((resolve) => { arrive = resolve; });
  const running = runHook((now: typeof run) => useStop(now, refresh), run);
  expect(running.last().stopping).toBe(false);
  const sent = running.last().stop();
  await vi.waitFor(() => expect(running.last().stopping).toBe(true));
  arrive();
  await sent;
  expect(refresh).toHaveBeenCalledOnce();
  // Whatever was going to be drawn is drawn.
  await new Promise((resolve) => setTimeout(resolve));
  running.give({ ...run });
  return running;
};

it("a stop that was taken stays so until the list shows it, and can be asked for again when the run goes on later", async () => {
  answer = async () => ({ active: true });
  const running = await pressed();
  expect(running.last().stopping).toBe(true);
  running.give({ ...run, stopping: true });
  expect(running.last().stopping).toBe(true);
  await vi.waitFor(() => {
    running.give({ ...run, stopping: false });
    expect(running.last().stopping).toBe(false);
  });
  expect(said).toEqual([]);
  running.end();
});

it("is not meant for the run that comes next on the same host", async () => {
  answer = async () => ({ active: false });
  const running = await pressed();
  running.give({ workflow_id: "run-b", stopping: false });
  expect(running.last().stopping).toBe(false);
  expect(said).toEqual(["Run run-a was stopped."]);
  running.end();
});

it.each([
  [new Problem(409, { detail: "it may not" }), "Run run-a could not be stopped: it may not"],
  [new Unreachable(), "No answer came to the stop of run run-a. Stop it again if it goes on; that does no harm."],
])("can be asked for again when %s was the answer, which is said", async (error, words) => {
  answer = async () => { throw error; };
  const running = await pressed();
  expect(running.last().stopping).toBe(false);
  expect(said).toEqual([words]);
  running.end();
});
