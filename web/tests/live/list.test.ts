import { signal } from "@preact/signals";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Problem, sessionEnded, Unreachable, type Tagged } from "../../src/api/client";
import { connection } from "../../src/live/connection";
import { pollList, type ListFeed } from "../../src/live/list";

/** A server that answers when it is told to. */
function server() {
  const asked: { tag: string | null; signal: AbortSignal; answer: (found: Tagged<string>) => void; refuse: (why: unknown) => void }[] = [];
  const fetchPage = (tag: string | null, signal: AbortSignal) =>
    new Promise<Tagged<string>>((answer, refuse) => {
      asked.push({ tag, signal, answer, refuse });
      signal.addEventListener("abort", () => refuse(signal.reason));
    });
  return { asked, fetchPage };
}

const settled = () => vi.advanceTimersByTimeAsync(0);

describe("a list that is polled", () => {
  const page = Object.assign(new EventTarget(), { hidden: false });
  const events = new EventTarget();
  let list: ListFeed<string>;

  beforeEach(() => {
    vi.useFakeTimers();
    page.hidden = false;
    vi.stubGlobal("document", page);
    vi.stubGlobal("addEventListener", events.addEventListener.bind(events));
  });

  afterEach(() => {
    list.close();
    sessionEnded.value = false;
    vi.useRealTimers();
  });

  it("asks at once, and again with the tag of what it shows", async () => {
    const { asked, fetchPage } = server();
    list = pollList(fetchPage, { everyMs: 2000 });
    expect([list.data.value, list.asking.value]).toEqual([null, true]);
    asked[0]!.answer({ answer: "one", tag: "t1" });
    await settled();
    expect([list.data.value, list.asking.value, list.error.value]).toEqual(["one", false, null]);
    expect(connection.value).toEqual({ kind: "polling", everyMs: 2000 });
    await vi.advanceTimersByTimeAsync(1999);
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(asked[1]!.tag).toBe("t1");
    asked[1]!.answer({ answer: null, tag: "t1" });
    await settled();
    expect(list.data.value).toBe("one");
    expect(list.asOf.value).toBe(Date.now());
  });

  it("keeps what it shows when the server is away, and waits longer each time", async () => {
    const { asked, fetchPage } = server();
    list = pollList(fetchPage, { everyMs: 2000 });
    asked[0]!.answer({ answer: "one", tag: "t1" });
    await settled();
    const asOf = Date.now();
    await vi.advanceTimersByTimeAsync(2000);
    asked[1]!.refuse(new Unreachable());
    await settled();
    expect(list.data.value).toBe("one");
    expect(list.error.value).toBeInstanceOf(Unreachable);
    expect(connection.value).toEqual({ kind: "offline", asOf });
    await vi.advanceTimersByTimeAsync(1300);
    expect(asked).toHaveLength(3);
    asked[2]!.refuse(new Problem(503, {}, 5));
    await settled();
    await vi.advanceTimersByTimeAsync(4999);
    expect(asked).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(1);
    asked[3]!.answer({ answer: "two", tag: "t2" });
    await settled();
    expect([list.data.value, list.error.value]).toEqual(["two", null]);
    expect(connection.value.kind).toBe("polling");
  });

  it("shows a refusal without calling the server away", async () => {
    const { asked, fetchPage } = server();
    list = pollList(fetchPage);
    asked[0]!.refuse(new Problem(400, { message: "no such filter" }));
    await settled();
    expect((list.error.value as Problem).message).toBe("no such filter");
    expect(connection.value.kind).toBe("polling");
  });

  it("keeps the old answer until another question is answered, and drops answers to the old one", async () => {
    const before = server();
    const after = server();
    list = pollList(before.fetchPage, { everyMs: 2000 });
    before.asked[0]!.answer({ answer: "old", tag: "t1" });
    await settled();
    await vi.advanceTimersByTimeAsync(2000);
    const shown = list.ask(after.fetchPage);
    expect(before.asked[1]!.signal.aborted).toBe(true);
    expect(after.asked[0]!.tag).toBeNull();
    await settled();
    expect([list.data.value, list.asking.value]).toEqual(["old", true]);
    after.asked[0]!.answer({ answer: "new", tag: "n1" });
    await shown;
    expect([list.data.value, list.asking.value]).toEqual(["new", false]);
  });

  it("refreshes with a question that is younger than the wish, for all who wish", async () => {
    const { asked, fetchPage } = server();
    list = pollList(fetchPage);
    const first = list.refresh();
    const second = list.refresh();
    expect(asked.map((one) => one.signal.aborted)).toEqual([true, true, false]);
    let done = 0;
    void first.then(() => (done += 1));
    void second.then(() => (done += 1));
    await settled();
    expect(done).toBe(0);
    asked[2]!.answer({ answer: "now", tag: null });
    await settled();
    expect(done).toBe(2);
  });

  it("does not ask while the page is hidden, and asks at once when it is shown", async () => {
    const { asked, fetchPage } = server();
    list = pollList(fetchPage, { everyMs: 2000 });
    asked[0]!.answer({ answer: "one", tag: "t1" });
    await settled();
    page.hidden = true;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(1);
    page.hidden = false;
    page.dispatchEvent(new Event("visibilitychange"));
    expect(asked).toHaveLength(2);
  });

  it("waits for somebody to sign in", async () => {
    const { asked, fetchPage } = server();
    list = pollList(fetchPage, { everyMs: 2000 });
    sessionEnded.value = true;
    asked[0]!.refuse(new Problem(401, {}));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(1);
    sessionEnded.value = false;
    expect(asked).toHaveLength(2);
  });

  it("asks seldom while changes are told, and at once when they are no longer", async () => {
    const { asked, fetchPage } = server();
    const live = signal(false);
    list = pollList(fetchPage, { everyMs: 2000, live, liveEveryMs: 15_000 });
    asked[0]!.answer({ answer: "one", tag: "t1" });
    await settled();
    live.value = true;
    expect(connection.value).toEqual({ kind: "live" });
    await vi.advanceTimersByTimeAsync(14_999);
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    asked[1]!.answer({ answer: null, tag: "t1" });
    await settled();
    live.value = false;
    expect(asked).toHaveLength(3);
    expect(connection.value).toEqual({ kind: "polling", everyMs: 2000 });
    asked[2]!.answer({ answer: null, tag: "t1" });
    await settled();
    await vi.advanceTimersByTimeAsync(2000);
    expect(asked).toHaveLength(4);
  });

  it("shows what is sent to it and asks no more, and then again without a tag, since it shows something else", async () => {
    const { asked, fetchPage } = server();
    const live = signal(true);
    list = pollList(fetchPage, { everyMs: 2000, live, liveEveryMs: null, fold: (shown, found) => (shown !== null && shown > found ? shown : found) });
    asked[0]!.answer({ answer: "a", tag: "t1" });
    await settled();
    list.take("c");
    list.take("b");
    expect(list.data.value).toBe("c");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(1);
    live.value = false;
    expect(asked[1]!.tag).toBeNull();
    asked[1]!.answer({ answer: "b", tag: "t2" });
    await settled();
    expect(list.data.value).toBe("c");
  });

  it("is told of what it could not ask for, and goes on as if it had been answered", async () => {
    const { asked, fetchPage } = server();
    list = pollList(fetchPage, { everyMs: 2000, live: signal(true), liveEveryMs: null });
    asked[0]!.refuse(new Unreachable());
    await settled();
    list.take("told");
    expect([list.data.value, list.error.value, connection.value.kind]).toEqual(["told", null, "live"]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(1);
  });

  it("asks nothing more once it is closed", async () => {
    const { asked, fetchPage } = server();
    list = pollList(fetchPage, { everyMs: 2000 });
    list.close();
    expect(asked[0]!.signal.aborted).toBe(true);
    await list.refresh();
    events.dispatchEvent(new Event("focus"));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(1);
  });
});
