import { expect, test } from "vitest";

import { fuzzy } from "../../src/frame/fuzzy";

const best = (wanted: string, texts: string[]) =>
  texts.map((text) => ({ text, found: fuzzy(wanted, text) })).filter((one) => one.found).sort((a, b) => b.found!.score - a.found!.score).map((one) => one.text);

test("the letters must occur in order", () => {
  expect(fuzzy("gtr", "Go to runs")).not.toBeNull();
  expect(fuzzy("rtg", "Go to runs")).toBeNull();
});

test("letters here and there begin at the beginning of a word", () => {
  expect(fuzzy("night", "Appearance: light")).toBeNull();
});

test("the beginnings of words are what is lit", () => {
  expect(fuzzy("gtr", "Go to runs")!.at).toEqual([0, 3, 6]);
  expect(fuzzy("run", "Turn the run")!.at).toEqual([9, 10, 11]);
});

test("words may stand in any order", () => {
  expect(fuzzy("runs go", "Go to runs")).not.toBeNull();
  expect(fuzzy("runs gone", "Go to runs")).toBeNull();
});

test("a whole word goes before letters here and there, a beginning before a middle, the shorter before the longer", () => {
  expect(best("stop", ["Save the options", "Stop run"])).toEqual(["Stop run", "Save the options"]);
  expect(best("art", ["Start", "Art of runs"])).toEqual(["Art of runs", "Start"]);
  expect(best("go to", ["Go to runs and their logs", "Go to runs"])[0]).toBe("Go to runs");
});

test("nothing typed fits everything alike", () => {
  expect(fuzzy("  ", "Go to runs")).toEqual({ score: 0, at: [] });
});

test("letters outside of ASCII are found", () => {
  expect(fuzzy("über", "Lauf über Nacht")!.at).toEqual([5, 6, 7, 8]);
});
