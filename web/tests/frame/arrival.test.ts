import { expect, test } from "vitest";

import { arrivalFrom } from "../../src/frame/arrival";

test("a page that was gone to begins at its top, once", () => {
  const arrival = arrivalFrom("runs");
  expect(arrival.reached("runs")).toBe(false);
  expect(arrival.reached("r-1")).toBe(true);
  expect(arrival.reached("r-1")).toBe(false);
});

test("one that was gone back to is left to the browser", () => {
  const arrival = arrivalFrom("r-1");
  arrival.wentBack();
  expect(arrival.reached("runs")).toBe(false);
  expect(arrival.reached("r-2")).toBe(true);
});

test("going back within a page does not hold for the next page", () => {
  const arrival = arrivalFrom("r-1");
  arrival.wentBack();
  expect(arrival.reached("r-1")).toBe(false);
  expect(arrival.reached("runs")).toBe(true);
});
