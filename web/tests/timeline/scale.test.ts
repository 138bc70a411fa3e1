import { describe, expect, it } from "vitest";

import { fit, labelPlace, panned, stretch, tickLabel, ticks, tickStep, zoomed } from "../../src/run/timeline/scale";

describe("marks of a timeline", () => {
  it("stand apart and within what is seen, whatever is seen", () => {
    for (const length of [30, 700, 5000, 61_000, 3_700_000, 90_000_000, 9e9]) {
      const view = { from: 1000, to: 1000 + length };
      const step = tickStep(view, 900);
      expect((step / length) * 900).toBeGreaterThanOrEqual(84);
      const marks = ticks(view, 900, 500);
      expect(marks.length).toBeGreaterThan(0);
      expect(marks.length).toBeLessThan(12);
      for (const mark of marks) expect(mark.at >= view.from && mark.at <= view.to).toBe(true);
      expect(new Set(marks.map((mark) => mark.label)).size).toBe(marks.length);
    }
  });

  it("are told since the start", () => {
    expect([tickLabel(0, 1000), tickLabel(250, 50), tickLabel(1500, 500), tickLabel(15_000, 5000)]).toEqual(["0", "250 ms", "1.5 s", "15 s"]);
    expect([tickLabel(90_000, 30_000), tickLabel(120_000, 60_000), tickLabel(5_400_000, 1_800_000), tickLabel(7_200_000, 3_600_000)]).toEqual(["1 m 30 s", "2 m", "1 h 30 m", "2 h"]);
    expect(tickLabel(180_000_000, 43_200_000)).toBe("2 d 2 h");
  });
});

describe("the part that is seen", () => {
  const all = { from: 0, to: 100_000 };

  it("keeps the moment under the pointer where it is", () => {
    const near = zoomed(all, 4, 30_000, all);
    expect(near.to - near.from).toBeCloseTo(25_000);
    expect((30_000 - near.from) / (near.to - near.from)).toBeCloseTo(0.3);
    expect(zoomed(near, 1 / 8, 30_000, all)).toEqual(all);
  });

  it("never leaves what there is", () => {
    let view = zoomed(all, 10, 50_000, all);
    view = panned(view, -1e9, all);
    expect(view).toEqual({ from: 0, to: 10_000 });
    view = panned(view, 1e9, all);
    expect(view).toEqual({ from: 90_000, to: 100_000 });
    expect(zoomed(view, 1e9, 95_000, all).to - zoomed(view, 1e9, 95_000, all).from).toBeCloseTo(20);
  });

  it("holds all, and grows in steps while it goes on", () => {
    const done = fit(5000, 25_000, false);
    expect(done.from).toBeLessThan(5000);
    expect(done.to).toBeGreaterThan(25_000);
    const seen = new Set<number>();
    for (let elapsed = 1000; elapsed <= 60_000; elapsed += 1000) {
      const view = fit(0, elapsed, true);
      expect(view.to).toBeGreaterThan(elapsed);
      seen.add(view.to);
    }
    expect(seen.size).toBeLessThan(30);
  });
});

describe("words of a stretch", () => {
  it("stand within it where there is room, else behind it where nothing follows", () => {
    expect(labelPlace({ left: 100, width: 200 }, 600, false)).toEqual({ left: 104, width: 192 });
    expect(labelPlace({ left: -8, width: 400 }, 300, false)).toEqual({ left: 4, width: 292 });
    expect(labelPlace({ left: 100, width: 20 }, 600, true)).toEqual({ left: 126, width: 470 });
    expect(labelPlace({ left: 100, width: 20 }, 600, false)).toBeNull();
    expect(labelPlace({ left: 520, width: 70 }, 600, true)).toEqual({ left: 524, width: 62 });
    expect(labelPlace({ left: 590, width: 5 }, 600, true)).toBeNull();
  });
});

describe("stretches", () => {
  const view = { from: 0, to: 1000 };
  it("are drawn to scale, cut to what is seen, and never too thin", () => {
    expect(stretch(view, 500, 200, 400)).toEqual({ left: 100, width: 100 });
    expect(stretch(view, 500, 200, 200)).toEqual({ left: 100, width: 3 });
    expect(stretch(view, 500, -1e9, 1e9)).toEqual({ left: -8, width: 516 });
    expect(stretch(view, 500, 2000, 3000)).toBeNull();
    expect(stretch(view, 500, -3000, -2000)).toBeNull();
  });
});
