import { describe, expect, it } from "vitest";

import { free, held, type Loaded, withPage } from "../../src/runs/loaded";
import { run } from "./run";

const cursors = (known: { runs: readonly { cursor: number }[] }) => known.runs.map((one) => one.cursor);
const some = (next: number | null, ...at: number[]): Loaded => ({ runs: at.map((cursor) => run(cursor)), next });

describe("a page that is read again", () => {
  it("brings what is new to the top and keeps older pages", () => {
    const known = some(5, 10, 9, 8, 7, 6, 5);
    const after = withPage(known, { before: null, runs: [run(12), run(11), run(10)], next: 10 });
    expect(cursors(after)).toEqual([12, 11, 10, 9, 8, 7, 6, 5]);
    expect(after.next).toBe(5);
  });

  it("updates in place, and leaves what did not change the same object", () => {
    const known = some(null, 3, 2, 1);
    const after = withPage(known, { before: null, runs: [run(3), run(2, { status: "completed" }), run(1)], next: null });
    expect(after.runs[0]).toBe(known.runs[0]);
    expect(after.runs[1]?.status).toBe("completed");
  });

  it("drops what does not fit any more, between its ends only", () => {
    const after = withPage(some(1, 6, 5, 4, 3, 2, 1), { before: null, runs: [run(6), run(4)], next: 4 });
    expect(cursors(after)).toEqual([6, 4, 3, 2, 1]);
  });

  it("drops all that is below when it went to the end", () => {
    const after = withPage(some(1, 6, 5, 1), { before: null, runs: [run(6)], next: null });
    expect(after).toEqual({ runs: [run(6)], next: null });
  });

  it("begins the list anew when it does not reach what is known", () => {
    const after = withPage(some(5, 10, 9, 5), { before: null, runs: [run(99), run(98)], next: 98 });
    expect(after).toEqual({ runs: [run(99), run(98)], next: 98 });
  });

  it("joins where its end is just the newest that is known", () => {
    expect(cursors(withPage(some(5, 10, 5), { before: null, runs: [run(11), run(10)], next: 10 }))).toEqual([11, 10, 5]);
  });

  it("continues below", () => {
    const after = withPage(some(5, 6, 5), { before: 5, runs: [run(4), run(3)], next: 3 });
    expect(cursors(after)).toEqual([6, 5, 4, 3]);
    expect(after.next).toBe(3);
    expect(withPage(after, { before: 3, runs: [], next: null }).next).toBe(null);
  });

  it("goes on behind an empty page of a search", () => {
    const after = withPage(some(5000, 9000), { before: 5000, runs: [], next: 2 });
    expect(after).toEqual({ runs: [run(9000)], next: 2 });
  });

  it("refreshes the middle alone", () => {
    const after = withPage(some(1, 9, 8, 7, 6, 5, 1), { before: 8, runs: [run(7, { percent: 50 }), run(5)], next: 5 });
    expect(cursors(after)).toEqual([9, 8, 7, 5, 1]);
    expect(after.runs[2]?.percent).toBe(50);
  });

  it("says nothing about a list that has begun anew since it was asked for", () => {
    const known = some(98, 99, 98);
    expect(withPage(known, { before: 50, runs: [run(49)], next: 49 })).toBe(known);
  });

  it("finds the first run of an empty list", () => {
    expect(cursors(withPage({ runs: [], next: null }, { before: null, runs: [run(1)], next: null }))).toEqual([1]);
  });
});

describe("rows that are held in place", () => {
  const kept = free([run(5), run(4), run(3)], []);

  it("keep their order while new ones wait", () => {
    const { shown, waiting } = held({ runs: [run(7), run(6), run(5), run(4, { status: "failed" }), run(3)], next: null }, kept);
    expect(shown.map((row) => row.run.cursor)).toEqual([5, 4, 3]);
    expect(shown[1]?.run.status).toBe("failed");
    expect(waiting).toBe(2);
  });

  it("stay where they were after they left the list", () => {
    const { shown, waiting } = held(some(null, 5, 3), kept);
    expect(shown.map((row) => [row.run.cursor, row.gone])).toEqual([[5, false], [4, true], [3, false]]);
    expect(waiting).toBe(0);
  });

  it("are not said to be gone where nothing is known", () => {
    const { shown, waiting } = held(some(90, 91, 90), kept);
    expect(shown.every((row) => !row.gone)).toBe(true);
    expect(waiting).toBe(2);
  });

  it("let older ones follow", () => {
    expect(held(some(1, 5, 4, 3, 2, 1), kept).shown.map((row) => row.run.cursor)).toEqual([5, 4, 3, 2, 1]);
  });

  it("are the same objects while nothing changed", () => {
    const runs = kept.map((row) => row.run);
    expect(held({ runs, next: null }, kept).shown[0]).toBe(kept[0]);
    expect(free(runs, kept)[0]).toBe(kept[0]);
  });
});
