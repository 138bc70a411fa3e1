import { signal } from "@preact/signals";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Problem } from "../../src/api/client";
import { Driver, type Driven } from "../../src/live/driver";
import type { Connection } from "../../src/live/feed";
import type { Listener } from "../../src/live/link";
import { onPage, settled } from "../run/page";

let socket: Listener;
let gone = false;
const subscribe = vi.fn((_run: string, _after: string | null) => Promise.resolve({ joined: true, position: "1-7" as string | null }));

vi.mock("../../src/live/link", () => ({
  listenTo: (_run: string, listener: Listener) => {
    socket = listener;
    return () => { gone = true; };
  },
  subscribe: (run: string, after: string | null) => subscribe(run, after),
}));

const page = onPage();
let reads: { found: (value: string) => void; fails: (why: unknown) => void; signal: AbortSignal }[];
let log: string[];
let place: string | null;
let driver: Driver<string>;
const connection = signal<Connection>({ kind: "connecting" });

const driven: Driven<string> = {
  runId: "r", connection,
  ask: (abort) => new Promise((found, fails) => void reads.push({ found, fails, signal: abort })),
  take: (found) => {
    log.push(`took ${found}`);
    return { changed: true, incomplete: found === "half" };
  },
  missed: (why) => void log.push(why),
  rested: () => void log.push("rested"),
  settle: () => place,
  begin: (position) => void log.push(`begins at ${position}`),
  hears: { event: () => undefined, lost: () => undefined },
};

beforeEach(() => {
  [reads, log, place, gone] = [[], [], null, false];
  connection.value = { kind: "connecting" };
  driver = new Driver(driven);
});
afterEach(() => driver.stop());

async function answered(found = "all"): Promise<void> {
  reads.at(-1)!.found(found);
  await settled();
}

test("what a read that was given up finds late is not taken in", async () => {
  driver.put({ it: "wanted" });
  expect(reads.map((one) => one.signal.aborted)).toEqual([true, false]);
  reads[0]!.found("old");
  await settled();
  expect(log).toEqual([]);
  expect(driver.reading).toBe(true);
  await answered("new");
  expect(log).toEqual(["took new", "rested"]);
});

test("who joins without a place in the stream is given one, and reads what came before it", async () => {
  await answered();
  socket.up();
  await settled();
  expect(log.slice(2)).toEqual(["begins at 1-7"]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(reads).toHaveLength(2);
  expect(connection.value.kind).toBe("live");
});

test("who has a place goes on from it, and reads nothing", async () => {
  place = "1-5";
  await answered();
  socket.up();
  await settled();
  expect(subscribe).toHaveBeenLastCalledWith("r", "1-5");
  await vi.advanceTimersByTimeAsync(5000);
  expect([reads.length, log]).toEqual([1, ["took all", "rested"]]);
});

test("what was taken in and is not whole is read once more", async () => {
  await answered("half");
  await vi.advanceTimersByTimeAsync(1000);
  expect(reads).toHaveLength(2);
});

test("why nothing was found is told, and asked again when it may be found", async () => {
  reads[0]!.fails(new Problem(503, {}, 7));
  await settled();
  await vi.advanceTimersByTimeAsync(6900);
  expect(reads).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(200);
  reads[1]!.fails(new Problem(404, {}));
  await settled();
  expect(log).toEqual(["unanswered", "rested", "missing", "rested"]);
});

test("a hidden page asks for nothing until it is seen again", async () => {
  await answered();
  page.hide();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(reads).toHaveLength(1);
  page.wake();
  expect(reads).toHaveLength(2);
});

test("one that was stopped asks, hears and tells nothing more", async () => {
  await answered();
  driver.put({ it: "wanted" });
  driver.stop();
  expect([reads[1]!.signal.aborted, gone]).toEqual([true, true]);
  reads[1]!.found("late");
  driver.put({ it: "wanted" });
  socket.up();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([reads.length, log]).toEqual([2, ["took all", "rested"]]);
});
