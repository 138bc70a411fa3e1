import { beforeEach, expect, test, vi } from "vitest";

import { connection } from "../../src/live/connection";
import { followFigures, newer } from "../../src/live/figures";
import type { Answer, Member, Topic } from "../../src/live/link";
import { follow, type Followed } from "../../src/live/topic";
import { onPage, settled } from "../run/page";

interface Entered {
  topic: Topic;
  body: object;
  answer(given: Answer | null): void;
}

const relay = vi.hoisted(() => ({ members: new Map<string, unknown>(), entered: [] as unknown[], left: [] as string[] }));
const entered = relay.entered as Entered[];
const member = (topic: Topic) => relay.members.get(topic) as Member;

// The relay answers when a test says so.
vi.mock("../../src/live/link", () => ({
  listenFor: (topic: string, one: unknown) => {
    relay.members.set(topic, one);
    return () => {
      if (relay.members.get(topic) !== one) return;
      relay.members.delete(topic);
      relay.left.push(topic);
    };
  },
  enter: (topic: string, body: object) => new Promise((answer) => relay.entered.push({ topic, body, answer })),
  leave: (topic: string) => void relay.left.push(topic),
}));

const page = onPage();
let followed: Followed;

beforeEach(() => {
  relay.members.clear();
  relay.entered.length = 0;
  relay.left.length = 0;
});

test("a topic is live from the answer on until the connection is lost, and again with the next one", async () => {
  followed = follow("alerts", { whileHidden: true, entered: (answer) => answer.live === true, hear: () => undefined });
  expect(entered).toHaveLength(0);
  member("alerts").up();
  expect(followed.live.value).toBe(false);
  entered[0]!.answer({ success: true, live: true });
  await settled();
  expect(followed.live.value).toBe(true);
  member("alerts").down();
  expect(followed.live.value).toBe(false);
  member("alerts").up();
  entered[1]!.answer({ success: true, live: false });
  await settled();
  expect(followed.live.value).toBe(false);
  followed.close();
  expect(relay.left).toEqual(["alerts"]);
});

test("a relay that refuses, or knows no such topic, is asked again later", async () => {
  followed = follow("flow", { hear: () => true });
  member("flow").up();
  entered[0]!.answer(null);
  await vi.advanceTimersByTimeAsync(14_999);
  expect(entered).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  entered[1]!.answer({ success: false, status: 503 });
  await vi.advanceTimersByTimeAsync(15_000);
  expect(entered).toHaveLength(3);
  followed.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(entered).toHaveLength(3);
});

test("what is silent for too long is not live, until something is told", async () => {
  followed = follow("flow", { silentMs: 10_000, hear: () => true });
  member("flow").up();
  entered[0]!.answer({ success: true });
  await settled();
  expect(followed.live.value).toBe(false);
  member("flow").hear("flow", {});
  expect(followed.live.value).toBe(true);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(followed.live.value).toBe(false);
  member("flow").hear("flow", {});
  expect(followed.live.value).toBe(true);
  followed.close();
});

test("a hidden page is sent nothing, and is subscribed again when it is seen", async () => {
  followed = follow("flow", { hear: () => true });
  member("flow").up();
  entered[0]!.answer({ success: true });
  await settled();
  member("flow").hear("flow", {});
  page.hide();
  expect([relay.left, followed.live.value]).toEqual([["flow"], false]);
  member("flow").hear("flow", {});
  expect(followed.live.value).toBe(false);
  page.wake();
  expect(entered).toHaveLength(2);
  followed.close();
});

test("an answer to a subscription that is over says nothing", async () => {
  followed = follow("alerts", { whileHidden: true, entered: () => true, hear: () => undefined });
  member("alerts").up();
  member("alerts").down();
  entered[0]!.answer({ success: true, live: true });
  await settled();
  expect(followed.live.value).toBe(false);
  followed.close();
});

interface Counted {
  window: string;
  at: string;
  points: number[];
}

const counted = (second: number, points: number[], window = "1h"): Counted => ({ window, at: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(), points });

test("figures are asked for once, then sent, and asked for again when the relay is away", async () => {
  let asked = 0;
  const read = () => Promise.resolve({ answer: counted(0, [1, 2, asked++]), tag: null });
  const list = followFigures<Counted>({ topic: "metrics", body: { window: "1h" }, read, everyMs: 5000, at: (found) => found.at, meant: (found) => found.window === "1h" });
  await settled();
  expect(asked).toBe(1);
  member("metrics").up();
  expect(entered[0]).toMatchObject({ topic: "metrics", body: { window: "1h" } });
  entered[0]!.answer({ success: true });
  await settled();
  // Of a window that was shown before: neither shown nor a sign that this one is sent.
  member("metrics").hear("metrics", counted(1, [9], "24h"));
  expect([list.data.value!.points, connection.value.kind]).toEqual([[1, 2, 0], "polling"]);
  for (let second = 5; second <= 60; second += 5) {
    member("metrics").hear("metrics", counted(second, [second]));
    await vi.advanceTimersByTimeAsync(5000);
  }
  expect([asked, list.data.value!.points, connection.value.kind]).toEqual([1, [60], "live"]);
  member("metrics").down();
  await settled();
  expect([asked, connection.value.kind]).toEqual([2, "polling"]);
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked).toBe(3);
  list.close();
});

test("who chooses another window keeps the subscription that took over", () => {
  const figures = (window: string) => followFigures<Counted>({
    topic: "metrics", body: { window }, read: () => new Promise(() => {}), everyMs: 5000, at: (found) => found.at,
  });
  const before = figures("1h");
  member("metrics").up();
  const after = figures("24h");
  member("metrics").up();
  before.close();
  expect(relay.left).toEqual([]);
  expect(entered.map((one) => one.body)).toEqual([{ window: "1h" }, { window: "24h" }]);
  after.close();
  expect(relay.left).toEqual(["metrics"]);
});

test("what is equal stays the same object, and an answer that was overtaken is not shown", () => {
  const at = (one: Counted) => one.at;
  const shown = counted(10, [1, 2]);
  expect(newer(shown, counted(12, [1, 2]), at).points).toBe(shown.points);
  expect(newer(shown, counted(12, [1, 3]), at).points).toEqual([1, 3]);
  expect(newer(shown, counted(8, [0]), at)).toBe(shown);
  // The server's clock was set back: that is no answer on the way.
  const later = counted(300, [1]);
  expect(newer(later, counted(8, [0]), at).points).toEqual([0]);
});
