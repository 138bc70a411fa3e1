import { describe, expect, it, test } from "vitest";

import type { Breaker } from "../../src/dashboard/answer";
import { factsOf, inOrder } from "../../src/dashboard/breaker-facts";
import { actWords } from "../../src/dashboard/breaker-words";
import { breakerLook, changeOf, countedTo, figureOf, limitWords, percent, rate } from "../../src/dashboard/words";
import { bytes } from "../../src/format/bytes";
import { resource } from "../../src/format/resources";

const AT = Date.parse("2026-01-01T12:00:00Z");
const breaker = (given: Partial<Breaker> = {}): Breaker => ({
  name: "openai", state: "closed", forced: null, calls: 0, failures: 0, rejected: 0, consecutiveFailures: 0, probesInFlight: 0,
  changedAt: null, openedAt: null, nextProbeAt: null, lastError: null, lastErrorAt: null, ...given,
});

describe("figures in words", () => {
  it("never says none of what there is a little of", () => {
    expect([0, 0.0001, 0.004, 0.088, 0.57, 1, null].map(percent)).toEqual(["0 %", "0.1 %", "0.4 %", "8.8 %", "57 %", "100 %", "–"]);
    expect([0, 0.01, 2.649, 14.2, 1240].map(rate)).toEqual(["0", "0.1", "2.6", "14", "1,240"]);
  });
  it("says where counting stopped", () => expect([countedTo(3, 10_000), countedTo(10_000, 10_000)]).toEqual(["3", "10,000 or more"]));
  it("compares with the window before, where there was anything", () => {
    expect(changeOf({ now: 12, before: 10, change: 0.2 })).toBe("20 % more than before");
    expect(changeOf({ now: 5, before: 10, change: -0.5 })).toBe("50 % less than before");
    expect(changeOf({ now: 500, before: 10, change: 49 })).toBe("over ten times more than before");
    expect(changeOf({ now: 10, before: 10, change: 0 })).toBe("as before");
    expect(changeOf({ now: 10, before: 0, change: null })).toBe("none before");
    expect(changeOf({ now: 10, before: null, change: null })).toBeNull();
  });
  it("has a dash for a duration that nothing had", () => expect(figureOf({ name: "p95_ms", now: null })).toEqual({ label: "95 % take at most", value: "–" }));
  it("says what a limit allows", () => {
    expect(limitWords({ limit: 40, perMs: 1000 })).toBe("40 in 1.0 s");
    expect(limitWords({ limit: null, perMs: null })).toBeNull();
  });
  it("says large amounts of bytes in GB", () => expect([bytes(999_900_000), bytes(22_764_343_296)]).toEqual(["999.9 MB", "22.8 GB"]));
});

test("what is waited on has a kind and a name, which may hold colons", () => {
  expect(resource("lock:file:/srv/notes.db")).toEqual({ kind: "lock", name: "file:/srv/notes.db" });
  expect(resource("place:gpu").kind).toBe("place at");
  expect(resource("breaker:http:10.0.0.1:80").name).toBe("http:10.0.0.1:80");
  expect(resource("news:of-a-later-release")).toEqual({ kind: "", name: "news:of-a-later-release" });
});

describe("a breaker", () => {
  it("says its state in a word, and when it was set by hand", () => {
    expect(breakerLook(breaker({ state: "half_open" })).word).toBe("half-open");
    expect(breakerLook(breaker({ state: "open", forced: "open" }))).toEqual({ word: "open, set by hand", tone: "red", mark: "cross" });
  });
  it("counts down to its next probe, which one that is held open has not", () => {
    const open = breaker({ state: "open", changedAt: "2026-01-01T11:59:48Z", nextProbeAt: "2026-01-01T12:00:03Z", calls: 13, failures: 13, consecutiveFailures: 13, rejected: 61 });
    expect(factsOf(open, AT)).toEqual(["for 12 s", "next probe in 3 s", "13 of 13 calls failed", "the last 13 in a row", "61 kept back"]);
    expect(factsOf(open, AT + 4000)).toContain("the next call probes it");
    expect(factsOf({ ...open, forced: "open" }, AT).join()).not.toContain("probe");
  });
  it("says that a probe is under way", () => expect(factsOf(breaker({ state: "half_open", probesInFlight: 1 }), AT)).toContain("a probe is under way"));
  it("stands before those that let everything through", () => {
    const all = [breaker({ name: "a" }), breaker({ name: "b", state: "half_open" }), breaker({ name: "c", state: "open" }), breaker({ name: "d", forced: "closed" })];
    expect(inOrder(all).map((one) => one.name)).toEqual(["d", "c", "b", "a"]);
  });
  it("says before it is reset what becomes of those that wait", () => {
    expect(actWords("reset", breaker({ state: "open" }), 46).words.join(" ")).toContain("Of the 46 steps that wait on it two go on at once");
    expect(actWords("reset", breaker({ state: "open" }), 0).words.join(" ")).not.toContain("wait on it");
    expect(actWords("reset", breaker({ forced: "open" }), 1).words).toContain("It is then left to itself again.");
  });
});
