import { signal } from "@preact/signals";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { sessionEnded } from "../../src/api/client";
import type { State } from "../../src/api/types";
import type { RunFeed } from "../../src/live/feed";
import { StepsReader } from "../../src/run/timeline/steps";
import { onPage, serverOf, settled } from "../run/page";
import { run, step } from "../run/sample";

onPage();
let stop = () => {};
beforeEach(() => { sessionEnded.value = false; });
afterEach(() => { stop(); sessionEnded.value = false; });

/** A reader of the steps of a run with one step. */
function reading() {
  const state = signal<State | null>(run([step("a", { attempt: 1, status: "in_progress" })]));
  const asked = serverOf();
  const reader = new StepsReader({ runId: "run-1", state, onEvent: () => () => {} } as unknown as RunFeed);
  stop = reader.use();
  return { reader, asked, tell: (more: Parameters<typeof step>[1]) => { state.value = run([step("a", more)]); } };
}
const page = (attempt: number) => ({ success: true, workflow_id: "run-1", steps: [{ ...step("a", { attempt, status: "in_progress" }), attempts: [] }], next: null });

test("a read that failed is tried again after a while", async () => {
  const { reader, asked } = reading();
  await settled();
  asked[0]!.fail();
  await settled();
  expect(reader.state.value.problem).not.toBeNull();
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked).toHaveLength(2);
  asked[1]!.answer(page(1));
  await settled();
  expect(reader.state.value).toMatchObject({ complete: true, problem: null });
});

test("nothing is asked while signed out, and at once when somebody has signed in again", async () => {
  const { reader, asked, tell } = reading();
  await settled();
  asked[0]!.fail();
  await settled();
  sessionEnded.value = true;
  tell({ attempt: 2, status: "in_progress" });
  await vi.advanceTimersByTimeAsync(600_000);
  expect(asked).toHaveLength(1);
  sessionEnded.value = false;
  await settled();
  expect(asked).toHaveLength(2);
  asked[1]!.answer(page(2));
  await settled();
  expect(reader.state.value).toMatchObject({ complete: true, problem: null, steps: [{ key: "a", attempt: 2 }] });
});

test("a step whose attempts could not be read again is not taken for read", async () => {
  const { asked, tell } = reading();
  await settled();
  asked[0]!.answer(page(1));
  await settled();
  tell({ attempt: 2, status: "in_progress", failures: 1 });
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked).toHaveLength(2);
  asked[1]!.fail();
  await settled();
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked).toHaveLength(3);
  asked[2]!.answer(page(2));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(3);
});
