import { describe, expect, it } from "vitest";

import type { Point } from "../../src/dashboard/answer";
import { barsOf, linesOf, spanOf, topOf } from "../../src/dashboard/series";
import { orderInAddress, orderOf, pressed, sorted, type Column } from "../../src/dashboard/sorting";
import { inAddress, windowOf } from "../../src/dashboard/windows";

interface Row { name: string; p95: number | null }
const COLUMNS: Column<Row>[] = [
  { name: "name", word: "Action", value: (row) => row.name, falling: false },
  { name: "p95", word: "95 % take", value: (row) => row.p95, falling: true },
];
const ROWS: Row[] = [{ name: "b", p95: 20 }, { name: "c", p95: null }, { name: "a", p95: 100 }];
const USUAL = { column: "p95", falling: true };
const names = (order: { column: string; falling: boolean }) => sorted(ROWS, COLUMNS, order).map((row) => row.name).join("");

describe("a table", () => {
  it("is in the order of a column, with what is not known last either way", () => {
    expect(names({ column: "p95", falling: true })).toBe("abc");
    expect(names({ column: "p95", falling: false })).toBe("bac");
    expect(names({ column: "name", falling: false })).toBe("abc");
    expect(names({ column: "name", falling: true })).toBe("cba");
  });
  it("goes by the column that is pressed, and the other way when it is pressed again", () => {
    expect(pressed(USUAL, COLUMNS[0]!)).toEqual({ column: "name", falling: false });
    expect(pressed(USUAL, COLUMNS[1]!)).toEqual({ column: "p95", falling: false });
  });
  it("has its order in the address, unless it is the usual one", () => {
    expect(orderInAddress(USUAL, USUAL)).toBeNull();
    for (const order of [{ column: "name", falling: true }, { column: "p95", falling: false }]) {
      expect(orderOf(orderInAddress(order, USUAL), COLUMNS, USUAL)).toEqual(order);
    }
    expect(orderOf("no-such-column", COLUMNS, USUAL)).toEqual(USUAL);
  });
});

describe("a chart", () => {
  const point = (at: string, given: Partial<Point> = {}): Point => ({
    at, completed: 0, failed: 0, retried: 0, lost: 0, waiting: 0, fallbacks: 0, perMinute: 0, p50Ms: null, p95Ms: null, p99Ms: null, ...given,
  });
  const points = [point("2026-01-01T12:00:00Z", { completed: 7, failed: 2, fallbacks: 1, p50Ms: 20 }), point("2026-01-01T12:01:00Z")];

  it("counts all that ended, with what failed in front of it", () => {
    const bars = barsOf(points, "minute");
    expect([bars.ended, bars.failed]).toEqual([[10, 0], [2, 0]]);
  });
  it("draws no duration where nothing ended", () => expect(linesOf(points, "minute").p50).toEqual([20, null]));
  it("reaches from the first minute's beginning to the last one's end, and from zero", () => {
    const { at } = barsOf(points, "minute");
    const begin = Date.parse("2026-01-01T12:00:00Z") / 1000;
    expect(spanOf(at, "minute")).toEqual([begin, begin + 120]);
    expect([topOf(null, 4), topOf(2, 4), topOf(100, 4)]).toEqual([4, 4, 114.99999999999999]);
  });
});

it("has the window in the address, unless it is the usual one", () => {
  expect([null, "5m", "7d", "a year"].map((named) => windowOf(named).name)).toEqual(["1h", "5m", "7d", "1h"]);
  expect(["1h", "24h"].map((named) => inAddress(windowOf(named)))).toEqual([null, "24h"]);
});
