import { signal } from "@preact/signals";
import { afterEach, expect, test, vi } from "vitest";

import type { State, StepState } from "../../src/api/types";
import type { RunFeed } from "../../src/live/feed";
import { followStep, type Read } from "../../src/run/panel/reading";
import { onPage, serverOf, settled } from "../run/page";
import { run, step } from "../run/sample";

const page = onPage();
let stop = () => {};
afterEach(() => stop());

/** A step that is followed, and all that was told of it. */
function following() {
  const state = signal<State | null>(run([step("a")]));
  const asked = serverOf();
  const told: Read[] = [];
  stop = followStep({ runId: "run-1", state } as unknown as RunFeed, "a", (read) => told.push(read));
  return { asked, told, change: (given: Partial<StepState>) => (state.value = run([step("a", given)])) };
}

const answered = (attempt: number) => ({ step: { ...step("a", { attempt }) } });
const attempts = (told: Read[]) => told.map((read) => ("whole" in read ? read.whole.attempt : "problem"));

test("no answer overtakes another: the next read waits for the one under way", async () => {
  const { asked, told, change } = following();
  await settled();
  change({ attempt: 1 });
  await vi.advanceTimersByTimeAsync(3000);
  change({ attempt: 2 });
  await vi.advanceTimersByTimeAsync(3000);
  expect(asked).toHaveLength(1);
  asked[0]!.answer(answered(0));
  await settled();
  expect(asked).toHaveLength(2);
  asked[1]!.answer(answered(2));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toHaveLength(2);
  expect(attempts(told)).toEqual([0, 2]);
});

test("a step is read at most once a second", async () => {
  const { asked, change } = following();
  await settled();
  asked[0]!.answer(answered(0));
  for (let attempt = 1; attempt <= 20; attempt++) {
    change({ attempt });
    await vi.advanceTimersByTimeAsync(100);
    asked.at(-1)!.answer(answered(attempt));
  }
  expect(asked).toHaveLength(3);
});

test("a read that failed is repeated though the step changes no more, later each time", async () => {
  const { asked, told, change } = following();
  await settled();
  asked[0]!.answer(answered(0));
  await vi.advanceTimersByTimeAsync(5000);
  change({ attempt: 1, status: "completed" });
  await settled();
  asked[1]!.fail();
  await vi.advanceTimersByTimeAsync(1200);
  expect(asked).toHaveLength(3);
  asked[2]!.fail();
  await vi.advanceTimersByTimeAsync(1200);
  expect(asked).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(1200);
  asked[3]!.answer(answered(1));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(attempts(told)).toEqual([0, "problem", "problem", 1]);
  expect(asked).toHaveLength(4);
});

test("a hidden page reads nothing, and what it missed at once when it is seen", async () => {
  const { asked, change } = following();
  await settled();
  asked[0]!.fail();
  await settled();
  page.hide();
  change({ attempt: 1 });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(1);
  page.wake();
  await settled();
  expect(asked).toHaveLength(2);
  page.wake();
  await settled();
  expect(asked).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(3000);
  page.wake();
  await settled();
  expect([asked[1]!.aborted(), asked.length]).toEqual([true, 3]);
});

test("what comes after it is closed is told to nobody", async () => {
  const { asked, told } = following();
  await settled();
  stop();
  asked[0]!.answer(answered(0));
  await vi.advanceTimersByTimeAsync(10_000);
  expect([asked.length, told]).toEqual([1, []]);
});
