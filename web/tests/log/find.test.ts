import { describe, expect, it } from "vitest";

import { Finder, firstFrom, inLine, MAX_MATCHES } from "../../src/run/log/find";
import { parseRange, rangeText, segments } from "../../src/run/log/segments";
import { PLAIN } from "../../src/run/log/styles";

const lines = (...texts: string[]) => texts.map((text) => ({ text }));

describe("finding", () => {
  it("finds plain text whatever its case, several times a line", () => {
    const finder = new Finder("a.b");
    expect(finder.advance(lines("A.B xa.b", "axb"), { text: "a.b" })).toBe(false);
    expect(finder.matches).toEqual([{ line: 0, from: 0, to: 3 }, { line: 0, from: 5, to: 8 }, { line: 2, from: 0, to: 3 }]);
  });

  it("looks through a slice at a time and goes on where it was", () => {
    const all = lines(...Array.from({ length: 10 }, (_, at) => `x${at}`));
    const finder = new Finder("x");
    expect(finder.advance(all, null, 4)).toBe(true);
    expect(finder.matches).toHaveLength(4);
    expect(finder.advance(all, null, 4)).toBe(true);
    expect(finder.advance(all, null, 4)).toBe(false);
    expect(finder.matches).toHaveLength(10);
  });

  it("looks at the line in hand again each time, and at lines that ended once", () => {
    const finder = new Finder("x");
    finder.advance([], { text: "xx" });
    expect(finder.matches).toHaveLength(2);
    finder.advance(lines("xxx"), { text: "-" });
    expect(finder.matches).toHaveLength(3);
    finder.advance(lines("xxx"), { text: "x" });
    expect(finder.matches).toEqual([{ line: 0, from: 0, to: 1 }, { line: 0, from: 1, to: 2 }, { line: 0, from: 2, to: 3 }, { line: 1, from: 0, to: 1 }]);
  });

  it("stops at a bound", () => {
    const finder = new Finder("x");
    expect(finder.advance(lines(...Array.from({ length: 200 }, () => "x".repeat(100))), null)).toBe(false);
    expect(finder.matches).toHaveLength(MAX_MATCHES);
    expect(finder.full).toBe(true);
  });

  it("begins at the line that is seen, and wraps around", () => {
    const matches = [{ line: 1, from: 0, to: 1 }, { line: 5, from: 0, to: 1 }, { line: 5, from: 3, to: 4 }];
    expect(firstFrom(matches, 2)).toBe(1);
    expect(firstFrom(matches, 6)).toBe(0);
    expect(firstFrom([], 0)).toBe(-1);
    expect(inLine(matches, 5)).toEqual({ first: 1, matches: matches.slice(1) });
    expect(inLine(matches, 2).matches).toEqual([]);
  });
});

describe("segments of a line", () => {
  const red = { ...PLAIN, fg: 1 };

  it("are one where nothing is marked", () => {
    expect(segments({ text: "abc", spans: null }, [], 0)).toEqual([{ text: "abc", style: PLAIN, match: -1 }]);
  });

  it("carry both look and match where these overlap", () => {
    const parts = segments({ text: "abcdef", spans: [{ from: 1, to: 4, style: red }] }, [{ line: 0, from: 3, to: 5 }], 7);
    expect(parts).toEqual([
      { text: "a", style: PLAIN, match: -1 },
      { text: "bc", style: red, match: -1 },
      { text: "d", style: red, match: 7 },
      { text: "e", style: PLAIN, match: 7 },
      { text: "f", style: PLAIN, match: -1 },
    ]);
  });
});

describe("the lines of an address", () => {
  it("are one or a stretch, from 1", () => {
    expect(parseRange("12")).toEqual({ from: 12, to: 12 });
    expect(parseRange("20-12")).toEqual({ from: 12, to: 20 });
    for (const wrong of [null, "", "0", "a", "1-", "-3", "1.5"]) expect(parseRange(wrong)).toBeNull();
    expect(rangeText({ from: 3, to: 3 })).toBe("3");
    expect(rangeText({ from: 3, to: 5 })).toBe("3-5");
  });
});
