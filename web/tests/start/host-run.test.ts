import { signal } from "@preact/signals";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { ListFeed } from "../../src/live/list";
import { useHostRun, type HostRun } from "../../src/start/useHostRun";
import { runHook, type Running } from "./hook";

type Runs = { runs: { workflow_id: string }[] };
const lists: { data: { value: Runs | null }; closed: boolean }[] = [];
const watched: string[] = [];

vi.mock("../../src/api/client", () => ({ getTagged: vi.fn() }));
vi.mock("../../src/live/list", () => ({
  pollList() {
    const list = { data: signal<Runs | null>(null), closed: false, refresh: async () => {}, close: () => { list.closed = true; } };
    lists.push(list);
    return list as unknown as ListFeed<Runs>;
  },
}));
vi.mock("../../src/live/watch", () => ({
  watchRun(runId: string) {
    watched.push(runId);
    return { state: signal({ workflow_id: runId, steps: [] }), refresh: async () => {}, close() {} };
  },
}));

let running: Running<string | null, HostRun>;
beforeEach(() => { vi.useFakeTimers(); lists.length = 0; watched.length = 0; });
afterEach(() => { running.end(); vi.useRealTimers(); });

const A = "root@a:22";
const B = "root@b:22";
const settle = () => vi.advanceTimersByTimeAsync(1000);

it("shows the run of the host it was asked for, and no other's when another host is named", async () => {
  running = runHook(useHostRun, A as string | null);
  await settle();
  lists[0]!.data.value = { runs: [{ workflow_id: "run-a" }] };
  await settle();
  expect(running.last().active?.workflow_id).toBe("run-a");
  expect(running.last().state?.workflow_id).toBe("run-a");

  const before = running.returned.length;
  running.give(B);
  await settle();
  const since = running.returned.slice(before);
  expect(since.length).toBeGreaterThan(1);
  expect(since.map((one) => [one.active, one.state])).toEqual(since.map(() => [null, null]));
  expect(lists.map((list) => list.closed)).toEqual([true, false]);
});
