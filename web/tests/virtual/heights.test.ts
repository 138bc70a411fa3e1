import { describe, expect, it } from "vitest";

import { EvenHeights, Heights, rangeOf, towards } from "../../src/parts/heights";

describe("heights of rows", () => {
  it("agree with sums made one by one, through changes of any kind", () => {
    let state = 42;
    const next = (below: number) => { state = (state * 1103515245 + 12345) % 2147483648; return state % below; };
    const heights = new Heights(20);
    let plain: number[] = [];
    for (let turn = 0; turn < 400; turn += 1) {
      if (next(5) === 0) {
        const count = next(200);
        heights.resize(count);
        plain = Array.from({ length: count }, (_, at) => plain[at] ?? 20);
      } else if (plain.length > 0) {
        const at = next(plain.length);
        const height = 1 + next(90);
        expect(heights.set(at, height)).toBe(height - plain[at]!);
        plain[at] = height;
      }
      if (next(60) === 0) { heights.reset(); plain = plain.map(() => 20); }
      const tops = plain.reduce((sums, height) => [...sums, sums[sums.length - 1]! + height], [0]);
      expect(heights.top(plain.length)).toBe(tops[plain.length]);
      if (plain.length === 0) continue;
      const place = next(tops[plain.length]! + 50);
      const index = heights.at(place);
      expect(tops[index]! <= place).toBe(true);
      expect(index === plain.length - 1 || tops[index + 1]! > place).toBe(true);
      expect(heights.top(index)).toBe(tops[index]);
    }
  });

  it("are simple where all are alike", () => {
    const rows = new EvenHeights(20);
    rows.resize(10);
    expect([rows.top(3), rows.at(65), rows.at(-5), rows.at(999), rows.top(99)]).toEqual([60, 3, 0, 9, 200]);
  });
});

describe("the rows to draw", () => {
  it("are those in sight and some around them", () => {
    const rows = new EvenHeights(20);
    rows.resize(1000);
    expect(rangeOf(rows, 2000, 400, 5)).toEqual({ first: 95, end: 126 });
    expect(rangeOf(rows, 0, 400, 5)).toEqual({ first: 0, end: 26 });
    expect(rangeOf(rows, 19_900, 400, 5)).toEqual({ first: 990, end: 1000 });
    rows.resize(0);
    expect(rangeOf(rows, 0, 400, 5)).toEqual({ first: 0, end: 0 });
  });
});

describe("what is drawn", () => {
  it("comes to what is wanted a few rows at a time, on either side", () => {
    expect(towards({ first: 10, end: 20 }, { first: 15, end: 30 }, 3)).toEqual({ first: 15, end: 23 });
    expect(towards({ first: 10, end: 20 }, { first: 0, end: 18 }, 3)).toEqual({ first: 7, end: 18 });
    expect(towards({ first: 10, end: 20 }, { first: 0, end: 22 }, 3)).toEqual({ first: 9, end: 22 });
    expect(towards({ first: 10, end: 20 }, { first: 10, end: 20 }, 3)).toEqual({ first: 10, end: 20 });
  });

  it("is all that is wanted where nothing of it is there", () => {
    expect(towards({ first: 10, end: 20 }, { first: 20, end: 40 }, 3)).toEqual({ first: 20, end: 40 });
    expect(towards({ first: 0, end: 40 }, { first: 0, end: 0 }, 3)).toEqual({ first: 0, end: 0 });
  });
});
