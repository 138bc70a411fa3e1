import { effect } from "@preact/signals";
import { expect, test, vi } from "vitest";

import { sessionEnded } from "../../src/api/client";
import type { StepState } from "../../src/api/types";
import { StepPages } from "../../src/run/steps/StepPages";
import { onPage, settled } from "./page";
import { run, step } from "./sample";

const at = (index: number, given: Partial<StepState> = {}) => step(`s${index}`, { index, ...given });
const between = (first: number, end: number) => Array.from({ length: end - first }, (_, place) => at(first + place));

const page = onPage();

/** A server with steps at these positions. */
function serving(positions: readonly number[]) {
  const asked: number[] = [];
  const pages = new StepPages((cursor, limit) => {
    asked.push(cursor);
    const rest = positions.filter((position) => position >= cursor);
    return Promise.resolve({ steps: rest.slice(0, limit).map((position) => at(position, { status: "completed" })), next: rest[limit] ?? null });
  });
  return { pages, asked };
}

const long = (first: number, end: number, total: number) => run(between(first, end), { steps_truncated: true, total_steps: total });

test("a short run is all in its state and nothing is asked for", async () => {
  const { pages, asked } = serving([]);
  pages.take(run([at(0), at(1), at(5)]));
  pages.draw(0);
  await settled();
  expect(pages.rows).toEqual([0, 1, 5]);
  expect(asked).toEqual([]);
});

test("of a long run only the pages that are looked at are read, once", async () => {
  const { pages, asked } = serving(between(0, 1000).map((one) => one.index));
  pages.take(long(400, 600, 1000));
  expect(pages.rows).toHaveLength(1000);
  for (const position of [410, 599]) pages.draw(position);
  await settled();
  expect(asked).toEqual([]);
  pages.draw(0);
  pages.draw(1);
  await settled();
  expect(asked).toEqual([0]);
  expect(pages.step(0)?.status).toBe("completed");
  expect(pages.find("s1")?.index).toBe(1);
});

test("the state is newer than a page that was asked for before it", async () => {
  const { pages } = serving(between(0, 1000).map((one) => one.index));
  pages.take(long(190, 390, 1000));
  pages.draw(100);
  await settled();
  expect(pages.step(190)?.status).toBe("pending");
  expect(pages.step(189)?.status).toBe("completed");
});

test("a page that an event touched is read again, but not without end", async () => {
  const { pages, asked } = serving(between(0, 1000).map((one) => one.index));
  pages.take(long(400, 600, 1000));
  pages.draw(3);
  await settled();
  for (let time = 0; time < 5; time++) pages.hear({ type: "progress", index: 3, key: "s3", attempt: 1, progress: { type: "simple", clipped: false } });
  await settled();
  expect(asked).toEqual([0]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(asked).toEqual([0, 0]);
});

test("an event for a step that nobody looks at reads nothing", async () => {
  const { pages, asked } = serving(between(0, 1000).map((one) => one.index));
  pages.take(long(400, 600, 1000));
  const gone = pages.draw(3);
  await settled();
  gone();
  pages.hear({ type: "progress", index: 3, key: "s3", attempt: 1, progress: { type: "simple", clipped: false } });
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked).toEqual([0]);
});

test("positions that turn out not to be there have no row", async () => {
  const { pages } = serving([...between(0, 50).map((one) => one.index), ...between(60, 400).map((one) => one.index)]);
  pages.take(long(200, 400, 390));
  expect(pages.rows).toHaveLength(400);
  pages.draw(0);
  await settled();
  expect(pages.rows).toHaveLength(390);
  expect(pages.rows).not.toContain(55);
});

test("a run that ends has other steps everywhere", async () => {
  const { pages, asked } = serving(between(0, 1000).map((one) => one.index));
  pages.take(long(400, 600, 1000));
  pages.draw(0);
  await settled();
  await vi.advanceTimersByTimeAsync(5000);
  pages.take({ ...long(400, 600, 1000), active: false, status: "cancelled" });
  await settled();
  expect(asked).toEqual([0, 0]);
});

test("a page that cannot be read is tried again, and the reason is told", async () => {
  let fail = true;
  const pages = new StepPages((cursor) => (fail ? Promise.reject(new Error("away")) : Promise.resolve({ steps: between(cursor, 200), next: 200 })));
  pages.take(long(400, 600, 1000));
  pages.draw(0);
  await settled();
  expect(pages.problem.value).toBeInstanceOf(Error);
  fail = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(pages.problem.value).toBeNull();
  expect(pages.step(0)).toBeDefined();
});

test("a page that fails is asked for later each time, whatever happens meanwhile, and at once when somebody comes back", async () => {
  let asked = 0;
  const pages = new StepPages(() => {
    asked += 1;
    return Promise.reject(new Error("away"));
  });
  pages.take(long(400, 600, 1000));
  pages.draw(0);
  for (let version = 2; version <= 302; version++) {
    pages.take({ ...long(400, 600, 1000), version });
    await vi.advanceTimersByTimeAsync(200);
  }
  // After 1, 2, 4, 8, 15, 15 s.
  expect(asked).toBeGreaterThanOrEqual(6);
  expect(asked).toBeLessThanOrEqual(8);
  page.hide();
  const before = asked;
  pages.take({ ...long(400, 600, 1000), version: 400 });
  await vi.advanceTimersByTimeAsync(120_000);
  expect(asked).toBe(before);
  page.wake();
  await settled();
  expect(asked).toBe(before + 1);
  pages.close();
  await vi.advanceTimersByTimeAsync(60_000);
  page.wake();
  await settled();
  expect(asked).toBe(before + 1);
});

test("nothing is asked for while nobody is signed in", async () => {
  const { pages, asked } = serving(between(0, 1000).map((one) => one.index));
  sessionEnded.value = true;
  pages.take(long(400, 600, 1000));
  pages.draw(0);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toEqual([]);
  sessionEnded.value = false;
  await settled();
  expect(asked).toEqual([0]);
});

test("a step that an event ended is read for its result, which the next event does not take away", async () => {
  const { pages, asked } = serving(between(0, 1000).map((one) => one.index));
  const before = long(0, 200, 1000);
  pages.take(before);
  pages.draw(7);
  await settled();
  expect(asked).toEqual([]);
  const bare = at(7, { status: "completed", start_time: "2026-01-01T12:00:00.000Z" });
  const told = { ...before, steps: before.steps.map((one) => (one.index === 7 ? bare : one)) };
  pages.take(told);
  await settled();
  expect(asked).toEqual([0]);
  expect(pages.step(7)).not.toBe(bare);
  pages.take({ ...told, version: 3 });
  expect(pages.step(7)).not.toBe(bare);
});

test("who follows a step is told of that step alone", async () => {
  const { pages } = serving(between(0, 1000).map((one) => one.index));
  const [first, second] = [at(400), at(401)];
  pages.take(run([first, second], { steps_truncated: true, total_steps: 1000 }));
  const told: string[] = [];
  const stops = [400, 401, 3].map((position) => effect(() => void told.push(`${position} ${pages.at(position).value?.status}`)));
  expect(told.splice(0)).toEqual(["400 pending", "401 pending", "3 undefined"]);
  pages.take(run([{ ...first, status: "in_progress" }, second], { steps_truncated: true, total_steps: 1000, version: 2 }));
  expect(told.splice(0)).toEqual(["400 in_progress"]);
  pages.draw(3);
  await settled();
  expect(told.splice(0)).toEqual(["3 completed"]);
  for (const stop of stops) stop();
});

test("who follows the rows is told once when there are others, and not when a step changes", () => {
  const { pages } = serving([]);
  pages.take(run([at(0), at(1)]));
  const told: number[] = [];
  const stop = effect(() => void told.push(pages.rows.length));
  pages.take(run([at(0), at(1, { status: "in_progress" })]));
  expect(told).toEqual([2]);
  pages.take(run([at(0), at(1), at(2)]));
  expect(told).toEqual([2, 3]);
  stop();
});
