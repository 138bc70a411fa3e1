import { signal } from "@preact/signals";
import { afterEach, expect, test, vi } from "vitest";

import type { State } from "../../src/api/types";
import type { RunFeed } from "../../src/live/feed";
import { TraceReader } from "../../src/run/trace/reader";
import { onPage, serverOf, settled } from "./page";
import { run, step } from "./sample";

const page = onPage();
let stop = () => {};
afterEach(() => stop());

/** A reader of a run's trace; the server has one entry for each version. */
function reading() {
  const state = signal<State | null>(run([step("a")]));
  const asked = serverOf();
  const reader = new TraceReader({ runId: "run-1", state } as unknown as RunFeed);
  stop = reader.use();
  return { reader, asked, change: (more: Partial<State>) => (state.value = { ...state.value!, ...more }) };
}

const page1 = { trace: [{ seq: 1 }], next: null };

test("a run that changes all the time is read all the time", async () => {
  const { reader, asked, change } = reading();
  await settled();
  asked[0]!.answer(page1);
  await settled();
  for (let version = 2; version <= 21; version++) {
    change({ version });
    await vi.advanceTimersByTimeAsync(100);
    if (asked.length > 1) asked.at(-1)!.answer({ trace: [{ seq: version }], next: null });
  }
  expect(asked.length).toBeGreaterThanOrEqual(4);
  expect(asked.length).toBeLessThanOrEqual(6);
  expect(reader.state.value.entries.length).toBeGreaterThan(3);
});

test("progress alone reads nothing", async () => {
  const { asked, change } = reading();
  await settled();
  asked[0]!.answer(page1);
  for (let percent = 1; percent < 20; percent++) {
    change({ steps: [step("a", { progress: { type: "percentage", percent, clipped: false } })] });
    await vi.advanceTimersByTimeAsync(100);
  }
  await vi.advanceTimersByTimeAsync(2000);
  expect(asked).toHaveLength(1);
});

test("what changes during a read is read after it", async () => {
  const { asked, change } = reading();
  await settled();
  change({ version: 2 });
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked).toHaveLength(1);
  asked[0]!.answer(page1);
  await vi.advanceTimersByTimeAsync(500);
  expect(asked).toHaveLength(2);
  expect(asked[1]!.url.searchParams.get("after")).toBe("1");
});

test("a read that failed is repeated, no sooner for changes, but at once on waking, and never while hidden", async () => {
  const { reader, asked, change } = reading();
  await settled();
  asked[0]!.fail();
  await settled();
  expect(reader.state.value.problem).not.toBeNull();
  change({ version: 2 });
  await vi.advanceTimersByTimeAsync(4900);
  expect(asked).toHaveLength(1);
  page.hide();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(1);
  page.wake();
  await settled();
  expect(asked).toHaveLength(2);
  asked[1]!.answer(page1);
  await settled();
  expect(reader.state.value).toEqual({ entries: page1.trace, complete: true, problem: null });
});
