import { expect, test } from "vitest";

import { clockTime } from "../../src/format/times";
import { wordOf } from "../../src/frame/connection-word";
import { eachKeyOnce, keysShown } from "../../src/frame/keys-shown";

test("the connection has one word", () => {
  expect(wordOf({ kind: "live" }).word).toBe("Live");
  expect(wordOf({ kind: "polling", everyMs: 2000 }).word).toBe("Polling every 2 s");
  expect(wordOf({ kind: "polling", everyMs: 500 }).word).toBe("Polling every 0.5 s");
  expect(wordOf({ kind: "offline", asOf: null }).word).toBe("Offline");
  expect(wordOf({ kind: "offline", asOf: 0 }).word).toBe(`Offline, as of ${clockTime(0)}`);
});

test("keys are written as they stand on the keyboard", () => {
  expect(keysShown("mod+k", false)).toEqual(["Ctrl", "K"]);
  expect(keysShown("mod+k", true)).toEqual(["⌘", "K"]);
  expect(keysShown("g r", false)).toEqual(["g", "r"]);
  expect(keysShown("ArrowDown", false)).toEqual(["↓"]);
  expect(keysShown(" ", false)).toEqual(["Space"]);
});

test("of two with the same key the one that acts is named", () => {
  const all = [{ keys: "/", label: "Search" }, { keys: "?", label: "All keys" }, { keys: "/", label: "Search runs" }];
  expect(eachKeyOnce(all).map((one) => one.label)).toEqual(["All keys", "Search runs"]);
});
