import { expect, test, vi } from "vitest";

import { watchRun } from "../../src/live/watch";
import { onPage, serverOf, settled } from "../run/page";

// No socket: the page polls.
vi.mock("../../src/live/link", () => ({
  listenTo: (_run: string, listener: { down(): void }) => {
    listener.down();
    return () => {};
  },
  subscribe: () => Promise.resolve({ joined: false, position: null }),
}));

const LINGER_MS = 10_000;
onPage();

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
