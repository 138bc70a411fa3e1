import { describe, expect, it } from "vitest";

import { asleep, CHECK_MS, connectionOf, step, type Effect, type Input, type Machine } from "../../src/live/machine";

/** A feed in a world whose clock is set by hand. */
class World {
  at = 1_000_000;
  machine: Machine = asleep;
  effects: Effect[] = [];
  readonly pollMs = 2000;

  put(input: Input): this {
    const next = step(this.machine, input, { at: this.at, pollMs: this.pollMs, random: () => 0.5 });
    this.machine = next.machine;
    this.effects = next.effects;
    return this;
  }

  wait(ms: number): this {
    this.at += ms;
    return this;
  }

  /** Until the next read is due; ms waited. */
  due(): number {
    const ms = (this.machine.due ?? Infinity) - this.at;
    expect(Number.isFinite(ms)).toBe(true);
    this.wait(ms).put({ it: "due" });
    return ms;
  }

  get word(): string {
    return connectionOf(this.machine, this.at, this.pollMs).kind;
  }
}

const opened = () => new World().put({ it: "opened", seen: true });
const polling = () => opened().wait(20).put({ it: "answered", changed: true }).put({ it: "socket-down" });
const live = () => opened().wait(20).put({ it: "answered", changed: true }).put({ it: "socket-up" }).wait(20).put({ it: "joined" });

describe("a feed", () => {
  it("reads first, and subscribes behind what it has read", () => {
    const world = opened();
    expect(world.effects).toEqual(["read"]);
    expect(world.word).toBe("connecting");
    world.put({ it: "socket-up" });
    expect(world.effects).toEqual([]);
    world.put({ it: "answered", changed: true });
    expect(world.effects).toEqual(["join"]);
    world.put({ it: "joined" });
    expect(world.word).toBe("live");
  });

  it("checks every 15 s while it is live", () => {
    const world = live();
    expect(world.due()).toBe(CHECK_MS);
    expect(world.effects).toEqual(["read"]);
    world.put({ it: "answered", changed: false });
    expect(world.due()).toBe(CHECK_MS);
  });

  it("polls while the socket is down, at once and then at the server's interval", () => {
    const world = live().wait(5000).put({ it: "socket-down" });
    expect(world.effects).toEqual(["read"]);
    expect(world.word).toBe("polling");
    world.put({ it: "answered", changed: false });
    expect(world.due()).toBe(2000);
    expect(world.effects).toEqual(["read"]);
    world.put({ it: "answered", changed: true }).put({ it: "socket-up" });
    expect(world.effects).toEqual(["join"]);
    expect(world.word).toBe("polling"); // until it is confirmed
    expect(world.put({ it: "joined" }).word).toBe("live");
  });

  it("is not called polling while the first socket is on its way", () => {
    const world = opened().put({ it: "answered", changed: true });
    expect(world.word).toBe("connecting");
    expect(world.wait(3000).word).toBe("polling");
  });

  it("says offline, as of the last answer, and tries again after 1 s to 15 s", () => {
    const world = polling();
    const asOf = world.at;
    const waits = [];
    world.due();
    for (let count = 0; count < 6; count += 1) {
      world.put({ it: "unanswered" });
      expect(connectionOf(world.machine, world.at, 2000)).toEqual({ kind: "offline", asOf });
      waits.push(world.due());
      expect(world.effects).toEqual(["read"]);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 15_000, 15_000]);
    world.put({ it: "answered", changed: false });
    expect(world.word).toBe("polling");
    expect(world.machine.asOf).toBe(world.at);
  });

  it("waits for as long as the server asks for", () => {
    const world = polling();
    world.due();
    world.put({ it: "unanswered", afterMs: 5000 });
    expect(world.due()).toBe(5000);
  });

  it("is offline without a time when it never got an answer", () => {
    const world = opened().put({ it: "unanswered" });
    expect(connectionOf(world.machine, world.at, 2000)).toEqual({ kind: "offline", asOf: null });
  });

  it("tries at once when the device is online again", () => {
    const world = polling();
    world.due();
    world.put({ it: "unanswered" }).wait(900).put({ it: "woken" });
    expect(world.effects).toEqual(["read"]);
    expect(world.wait(300).put({ it: "woken" }).effects).toEqual([]); // several signs of the same
    expect(world.wait(3000).put({ it: "woken" }).effects).toEqual(["read"]); // what hangs is given up
  });

  it("stays live while the web process begins again and the relay goes on telling", () => {
    const world = live();
    world.due();
    world.put({ it: "unanswered" });
    expect(world.word).toBe("live");
    world.wait(500).put({ it: "heard" });
    world.due();
    world.put({ it: "unanswered" });
    expect(world.word).toBe("live");
    world.due();
    world.put({ it: "unanswered" });
    expect(world.word).toBe("offline"); // nothing was heard between two failures
    expect(world.put({ it: "heard" }).word).toBe("live");
  });

  it("polls nothing while it is hidden, and catches up at once", () => {
    const world = polling().put({ it: "hidden" });
    world.due();
    expect(world.effects).toEqual([]);
    expect(world.machine.due).toBeNull();
    world.wait(600_000).put({ it: "woken" });
    expect(world.effects).toEqual(["read"]);
  });

  it("reads nothing for events that do not say all while it is hidden, and once when it is seen", () => {
    const world = live().wait(5000).put({ it: "hidden" });
    for (let count = 0; count < 100; count += 1) {
      world.wait(300).put({ it: "heard" }).put({ it: "incomplete" });
      expect(world.effects).toEqual([]);
    }
    expect(world.put({ it: "woken" }).effects).toEqual(["read"]);
    world.wait(50).put({ it: "answered", changed: true });
    expect(world.effects).toEqual([]);
  });

  it("reads what it missed though it had read just before it was hidden", () => {
    const world = live().wait(5000).put({ it: "heard" }).put({ it: "incomplete" }).put({ it: "hidden" }).put({ it: "incomplete" });
    expect(world.wait(20).put({ it: "woken" }).effects).toEqual([]); // a read from before is under way
    expect(world.put({ it: "answered", changed: true }).effects).toEqual(["read"]);
    world.wait(10).put({ it: "answered", changed: true }).put({ it: "hidden" }).put({ it: "incomplete" });
    expect(world.put({ it: "woken" }).effects).toEqual(["read"]);
  });

  it("reads the end of a run though it is hidden, for the words of a notification", () => {
    const world = live().wait(5000).put({ it: "hidden" }).put({ it: "incomplete", unseen: true });
    expect(world.effects).toEqual(["read"]);
    expect(world.put({ it: "incomplete", unseen: true }).put({ it: "answered", changed: true }).effects).toEqual(["read"]);
    world.wait(20).put({ it: "answered", changed: true });
    expect(world.put({ it: "incomplete", unseen: true }).effects).toEqual(["read"]);
  });

  it("does not begin to poll when a hidden page loses its socket", () => {
    const world = live().put({ it: "hidden" }).put({ it: "socket-down" });
    expect(world.effects).toEqual([]);
    expect(world.wait(1000).put({ it: "woken" }).effects).toEqual(["read"]);
  });

  it("finds out whether a socket that was silent still lives", () => {
    const world = live().put({ it: "hidden" }).wait(60_000).put({ it: "woken" });
    expect(world.effects).toEqual(["read", "join"]);
    expect(world.word).toBe("live");
    world.put({ it: "not-joined" });
    expect(world.word).toBe("polling");
  });

  it("finds it out as well when a check brings what no event had told", () => {
    const world = live();
    world.due();
    expect(world.put({ it: "answered", changed: true }).effects).toEqual(["join"]);
    const heard = live();
    heard.wait(14_000).put({ it: "heard" });
    heard.due();
    expect(heard.put({ it: "answered", changed: true }).effects).toEqual([]);
  });

  it("reads once for many events that do not say all, and once more for those that came meanwhile", () => {
    const world = live().wait(5000).put({ it: "incomplete" });
    expect(world.effects).toEqual(["read"]);
    world.put({ it: "incomplete" }).put({ it: "incomplete" });
    expect(world.effects).toEqual([]);
    expect(world.put({ it: "answered", changed: true }).effects).toContain("read");
    world.wait(50).put({ it: "answered", changed: true });
    world.put({ it: "incomplete" });
    expect(world.effects).toEqual([]);
    expect(world.due()).toBe(450);
    expect(world.effects).toEqual(["read"]);
  });

  it("stops when signed out, and goes on by itself when signed in", () => {
    const world = polling();
    world.due();
    world.put({ it: "signed-out" });
    expect(world.machine.due).toBeNull();
    expect(world.word).toBe("offline");
    expect(world.put({ it: "wanted" }).effects).toEqual([]);
    expect(world.put({ it: "woken" }).effects).toEqual([]);
    expect(world.put({ it: "signed-in" }).effects).toEqual(["read"]);
    expect(world.put({ it: "answered", changed: true }).word).toBe("polling");
  });

  it("looks seldom for a run that is not there, and never subscribes to it", () => {
    const world = opened().put({ it: "socket-up" }).put({ it: "missing" });
    expect(world.effects).toEqual([]);
    expect(world.due()).toBe(CHECK_MS);
    expect(world.put({ it: "answered", changed: true }).effects).toEqual(["join"]);
  });

  it("asks again for a subscription that was refused, with the next answer", () => {
    const world = opened().put({ it: "answered", changed: true }).put({ it: "socket-up" }).put({ it: "not-joined" });
    expect(world.word).toBe("polling");
    expect(world.due()).toBe(2000);
    expect(world.put({ it: "answered", changed: false }).effects).toEqual(["join"]);
  });

  it("always has something to wait for", () => {
    // Whatever happens in whatever order: while the page is seen and signed in, a read is under way or due.
    const inputs: Input["it"][] = [
      "answered", "unanswered", "missing", "signed-out", "signed-in", "heard", "incomplete", "wanted", "due", "hidden", "woken",
      "socket-up", "socket-down", "joined", "not-joined",
    ];
    let seed = 1;
    const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
    const world = opened();
    for (let count = 0; count < 20_000; count += 1) {
      const it = inputs[Math.floor(random() * inputs.length)]!;
      const answer = it === "answered" || it === "unanswered" || it === "missing";
      if (answer && world.machine.readingSince === null) continue; // nobody asked
      world.wait(Math.floor(random() * 3000)).put((it === "answered" ? { it, changed: random() < 0.5 } : { it }) as Input);
      const { seen, signedOut, readingSince, due, socket } = world.machine;
      if (seen && !signedOut) expect({ it, waits: readingSince !== null || due !== null, socket }).toMatchObject({ waits: true });
    }
  });
});
