import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { sessionEnded } from "../../src/api/client";
import { isArchived, readArchived, useArchived } from "../../src/run/controls/archived";
import { runHook, type Running } from "../start/hook";
import { onPage, serverOf, settled } from "./page";

const page = onPage();
type Given = { runId: string; active: boolean };
let running: Running<Given, boolean | null> | null = null;
beforeEach(() => { sessionEnded.value = false; });
afterEach(() => { running?.end(); running = null; });
const summary = (archived: boolean) => ({ success: true, summary: { archived } });
const shown = (given: Given) => { running = runHook((now: Given) => useArchived(now.runId, now.active), given); };
const drawn = () => vi.advanceTimersByTimeAsync(200);

test("a run that goes on is not asked about, and one that ends is", async () => {
  const asked = serverOf();
  shown({ runId: "run-1", active: true });
  await drawn();
  expect([asked.length, running!.last()]).toEqual([0, false]);
  running!.give({ runId: "run-1", active: false });
  await drawn();
  expect(asked.map((one) => one.url.pathname + one.url.search)).toEqual(["/workflow/state/summary?workflow_id=run-1"]);
  expect(running!.last()).toBeNull();
  asked[0]!.answer(summary(true));
  await drawn();
  expect(isArchived("run-1", false)).toBe(true);
  // A retry takes it out of the archive.
  running!.give({ runId: "run-1", active: true });
  await drawn();
  expect(running!.last()).toBe(false);
  running!.give({ runId: "run-1", active: false });
  await drawn();
  expect(running!.last()).toBeNull();
});

test("what another one did meanwhile is asked for when somebody comes back, and not while nobody looks or is signed in", async () => {
  const asked = serverOf();
  shown({ runId: "run-2", active: false });
  await drawn();
  asked[0]!.answer(summary(false));
  await drawn();
  expect(isArchived("run-2", false)).toBe(false);
  page.hide();
  await readArchived("run-2");
  sessionEnded.value = true;
  page.wake();
  await drawn();
  expect(asked).toHaveLength(1);
  sessionEnded.value = false;
  await drawn();
  expect(asked).toHaveLength(2);
  asked[1]!.answer(summary(true));
  await drawn();
  expect(isArchived("run-2", false)).toBe(true);
});

test("where no answer comes it stays as it was known", async () => {
  const asked = serverOf();
  const first = readArchived("run-3");
  await settled();
  asked[0]!.fail();
  await first;
  expect(isArchived("run-3", false)).toBeNull();
  const second = readArchived("run-3");
  await settled();
  asked[1]!.answer(summary(true));
  await second;
  const third = readArchived("run-3");
  await settled();
  asked[2]!.fail();
  await third;
  expect(isArchived("run-3", false)).toBe(true);
});
