import { expect, test, vi } from "vitest";

import type { Listener } from "../../src/live/link";
import { watchRun } from "../../src/live/watch";
import { onPage, serverOf, settled } from "../run/page";
import { stateOf, stepOf, story } from "./made";

let socket: Listener;

// What comes over the socket, a test says; it never joins, so the page polls.
vi.mock("../../src/live/link", () => ({
  listenTo: (_run: string, listener: Listener) => {
    socket = listener;
    listener.down();
    return () => {};
  },
  subscribe: () => Promise.resolve({ joined: false, position: null }),
}));

const LINGER_MS = 10_000;
const page = onPage();

test("a run that nobody watches any more is not asked for by who comes late", async () => {
  const asked = serverOf();
  const feed = watchRun("late");
  asked[0]!.answer({ state: { version: 1 } });
  await settled();
  feed.close();
  await vi.advanceTimersByTimeAsync(LINGER_MS);
  const before = asked.length;
  await feed.refresh();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(before);
});

test("who waits for a read that is given up waits no longer", async () => {
  const asked = serverOf();
  const feed = watchRun("given-up");
  let done = false;
  void feed.refresh().then(() => (done = true));
  feed.close();
  await vi.advanceTimersByTimeAsync(LINGER_MS - 1);
  expect(done).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(done).toBe(true);
  expect(asked.every((one) => one.aborted())).toBe(true);
});

test("a refresh is done when what it asked for is shown", async () => {
  const asked = serverOf();
  const feed = watchRun("shown");
  const refreshed = feed.refresh();
  asked.at(-1)!.answer({ state: { version: 3 } });
  await refreshed;
  expect(feed.state.value?.version).toBe(3);
  feed.close();
  await vi.advanceTimersByTimeAsync(LINGER_MS);
});

test("a hidden page reads nothing for steps that were added, but the end of the run", async () => {
  const asked = serverOf();
  const feed = watchRun("hidden");
  asked[0]!.answer({ state: stateOf([stepOf(0)]) });
  await settled();
  page.hide();
  const { run } = story();
  for (let version = 2; version < 12; version++) {
    socket.event(run(version, "running", version, 0));
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(asked).toHaveLength(1);
  socket.event(run(12, "failed", 11, 10, 1));
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked).toHaveLength(2);
  feed.close();
  await vi.advanceTimersByTimeAsync(LINGER_MS);
});
