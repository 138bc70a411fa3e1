import { beforeEach, expect, test, vi } from "vitest";

import type * as News from "../../src/alerts/news";
import type * as Watch from "../../src/alerts/watch";
import type { Answer, Member } from "../../src/live/link";
import { onPage, serverOf, settled } from "../run/page";

const relay = vi.hoisted(() => ({ member: null as unknown, answers: [] as ((given: unknown) => void)[] }));
const member = () => relay.member as Member;
const answer = (given: Answer) => relay.answers.at(-1)!(given);

vi.mock("../../src/live/link", () => ({
  listenFor: (_: string, one: unknown) => {
    relay.member = one;
    return () => {};
  },
  enter: () => new Promise((resolve) => relay.answers.push(resolve)),
  leave: () => {},
}));

const page = onPage();
const NOTHING = { alerts: [], next: null, open: 0, critical: 0, unacknowledged: 0 };
let watchAlerts: typeof Watch.watchAlerts;
let alertsLive: typeof News.alertsLive;
let alertCounts: typeof Watch.alertCounts;

// The addresses come from the router, which reads where it is when it is loaded.
beforeEach(async () => {
  vi.stubGlobal("location", { href: "https://perdure.test/runs", origin: "https://perdure.test" });
  vi.stubGlobal("window", { addEventListener: () => {} });
  ({ watchAlerts, alertCounts } = await import("../../src/alerts/watch"));
  ({ alertsLive } = await import("../../src/alerts/news"));
});

test("the frame asks when it is told, seldom while it is, and often while it is not", async () => {
  const asked = serverOf();
  const stop = watchAlerts();
  expect(asked).toHaveLength(1);
  asked[0]!.answer(NOTHING);
  await settled();
  member().up();
  answer({ success: true, live: true });
  await vi.advanceTimersByTimeAsync(10);
  expect(alertsLive.value).toBe(true);
  expect(asked).toHaveLength(2); // what changed before it was subscribed
  asked[1]!.answer(NOTHING);
  await vi.advanceTimersByTimeAsync(29_000);
  expect(asked).toHaveLength(2);

  member().hear("alert", { position: "1-1", alert: { id: 1, change: "opened", severity: "critical" } });
  await vi.advanceTimersByTimeAsync(250);
  expect(asked).toHaveLength(3);
  // Told of another while that is under way: asked once more behind it.
  member().hear("alert", { position: "1-2", alert: { id: 2, change: "opened", severity: "critical" } });
  await vi.advanceTimersByTimeAsync(2000);
  expect(asked).toHaveLength(3);
  asked[2]!.answer({ ...NOTHING, open: 1 });
  await vi.advanceTimersByTimeAsync(1);
  expect(asked).toHaveLength(4);
  asked[3]!.answer({ ...NOTHING, open: 2 });
  await settled();
  expect(alertCounts.value).toEqual({ open: 2, critical: 0, unacknowledged: 0 });

  // Valkey is away: nothing can be told, so it is asked at once and then every 10 s.
  member().hear("alerts_live", { live: false });
  await vi.advanceTimersByTimeAsync(250);
  const before = asked.length;
  expect(before).toBeGreaterThan(4);
  asked.at(-1)!.answer(NOTHING);
  await vi.advanceTimersByTimeAsync(10_250);
  expect(asked.length).toBeGreaterThan(before);
  stop();
});

test("many changes are read once, and none by a page that nobody sees", async () => {
  const asked = serverOf();
  const stop = watchAlerts();
  asked[0]!.answer(NOTHING);
  member().up();
  answer({ success: true, live: true });
  await vi.advanceTimersByTimeAsync(1500);
  asked.at(-1)!.answer(NOTHING);
  await settled();
  const before = asked.length;
  for (let number = 0; number < 50; number++) member().hear("alert", { position: `1-${number}`, alert: { id: number } });
  await vi.advanceTimersByTimeAsync(900);
  expect(asked).toHaveLength(before + 1);
  asked.at(-1)!.answer(NOTHING);
  await vi.advanceTimersByTimeAsync(2000);
  page.hide();
  member().hear("alert", { position: "1-99", alert: { id: 99 } });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(before + 1);
  page.wake();
  expect(asked).toHaveLength(before + 2);
  stop();
});
