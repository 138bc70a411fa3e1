import { expect, test } from "vitest";

import type { Overview, Queue, Worker } from "../../src/workers/answer";
import { commandFor, counted, inOrder, listeners, longestFirst, queuesInOrder, slotsOf, summary, unheard, waitsInWords } from "../../src/workers/overview";

const worker = (name: string, more: Partial<Worker> = {}): Worker => ({
  name, host: "alpha", pid: 1, started_at: "2026-01-01T00:00:00Z", pool: "threads", concurrency: 4, queues: ["default"], lost: false, steps: [], ...more,
});
const queue = (name: string, ready = 0): Queue => ({ name, ready, in_progress: 0, oldest_s: null, messages: 0 });
const step = { workflow_id: "w", index: 0, key: "a", label: "a", action: "noop", attempt: 1, since: "2026-01-01T00:00:00Z" };
const overview = (workers: Worker[], queues: Queue[] = []): Overview => ({ success: true, workers, queues, waiting: {}, at_most: 10_000, flower_port: null });

test("a queue with waiting steps and nobody who takes them is told of", () => {
  expect(unheard(overview([worker("io@alpha")], [queue("gpu", 3), queue("default", 2)])).map((one) => one.name)).toEqual(["gpu"]);
});

test("a queue where nothing waits is not told of", () => {
  expect(unheard(overview([], [queue("gpu", 0)]))).toEqual([]);
});

test("a lost worker takes nothing", () => {
  expect(unheard(overview([worker("io@alpha", { lost: true })], [queue("default", 1)])).map((one) => one.name)).toEqual(["default"]);
});

test("a worker that did not tell its queues may take any, so that nothing is claimed", () => {
  const untold = worker("io@beta", { queues: null });
  expect(listeners("gpu", [untold])).toBeNull();
  expect(unheard(overview([untold], [queue("gpu", 3)]))).toEqual([]);
  expect(listeners("default", [untold, worker("io@alpha")])!.map((one) => one.name)).toEqual(["io@alpha"]);
});

test("slots are those of workers that are there and have told", () => {
  const all = [worker("a", { steps: [step] }), worker("b", { lost: true, steps: [step] }), worker("c", { concurrency: null, steps: [step] })];
  expect(slotsOf(all)).toEqual({ used: 2, slots: 4 });
  expect(slotsOf([worker("c", { concurrency: null })])).toEqual({ used: 0, slots: null });
});

test("one line says it all", () => {
  expect(summary(overview([]))).toBe("No worker");
  expect(summary(overview([worker("a", { steps: [step] })]))).toBe("1 worker, 1 of 4 slots in use");
  expect(summary(overview([worker("a", { concurrency: null, steps: [step] }), worker("b", { concurrency: null })]))).toBe("2 workers, 1 step in hand");
});

test("workers that are there come first, queues where something waits come first", () => {
  expect(inOrder([worker("b"), worker("a", { lost: true }), worker("c")]).map((one) => one.name)).toEqual(["b", "c", "a"]);
  expect(queuesInOrder([queue("a"), queue("b", 1), queue("c")]).map((one) => one.name)).toEqual(["b", "a", "c"]);
});

test("of what a worker has in hand the longest comes first", () => {
  const later = { ...step, workflow_id: "v", since: "2026-01-01T00:00:09.5+00:00" };
  expect(longestFirst([later, step]).map((one) => one.workflow_id)).toEqual(["w", "v"]);
});

test("the command names the queue, quoted where a shell needs it, and a worker of its own name", () => {
  expect(commandFor("gpu")).toBe("celery -A workers worker --pool threads -c 16 -Q gpu -n gpu@%h");
  expect(commandFor("killable")).toContain("--pool prefork");
  expect(commandFor("killable-interactive")).toBe("celery -A workers worker --pool prefork -c 1 -Q killable-interactive -n killable-interactive@%h");
  expect(commandFor("a b; rm 'x'")).toBe(`celery -A workers worker --pool threads -c 16 -Q 'a b; rm '\\''x'\\''' -n a-b--rm--x-@%h`);
});

test("a count that was cut off says so", () => {
  expect(counted(12, 10_000)).toBe("12");
  expect(counted(10_000, 10_000)).toBe("10,000 or more");
});

test("waits are told in words, the most frequent first", () => {
  expect(waitsInWords({ signal: 1, retry: 3, throttled: 0, else_new: 2 }).map((one) => `${one.count} ${one.words}`)).toEqual([
    "3 wait for a retry", "2 wait for else new", "1 waits for an answer",
  ]);
});
