import { expect, test } from "vitest";

import { typedIn } from "../../src/parts/typed";

/** A field within elements of these names. */
const field = (...within: string[]) => ({ closest: (names: string) => (names.split(", ").some((name) => within.includes(name)) ? {} : null) }) as unknown as Element;
const holding = (...fields: Element[]) => ({ contains: (one: Element) => fields.includes(one) }) as unknown as Element;

test("what was typed in a form or a text is not lost by a press beside the dialog", () => {
  for (const one of [field("form"), field("textarea")]) {
    const typed = typedIn();
    expect(typed.isIn(holding(one))).toBe(false);
    typed.note(one);
    expect(typed.isIn(holding(one))).toBe(true);
  }
});

test("a search holds nothing, and neither does a form that is gone", () => {
  const typed = typedIn();
  const search = field();
  const sent = field("form");
  typed.note(search);
  typed.note(sent);
  expect(typed.isIn(holding(search))).toBe(false);
});
