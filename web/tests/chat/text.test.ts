import { describe, expect, it } from "vitest";

import { EMPTY, put, textOf } from "../../src/chat/text";

describe("a text that is written piece by piece", () => {
  it("grows by pieces, and a piece that comes again changes nothing", () => {
    const one = put(EMPTY, 0, "Hello ")!;
    const two = put(one, 6, "world")!;
    expect(two.text).toBe("Hello world");
    expect(put(two, 6, "world")!).toEqual(two);
  });

  it("is replaced from an offset on", () => {
    expect(put(textOf("Hello world"), 6, "you")!.text).toBe("Hello you");
    expect(put(textOf("Hello world"), 0, "")!).toEqual(EMPTY);
  });

  it("counts code points, not UTF-16 units", () => {
    const before = textOf("a😀b👩‍👩‍👧c");
    expect(before.points).toBe([..."a😀b👩‍👩‍👧c"].length);
    expect(put(before, 2, "x")!.text).toBe("a😀x");
    expect(put(before, 3, "😀")!.text).toBe("a😀b😀");
    expect(put(before, before.points, "!")!.text).toBe("a😀b👩‍👩‍👧c!");
  });

  it("is the same as Python would make it, whatever is cut where", () => {
    const all = [..."ab😀c𝒳d\ud800e文f"];
    for (let offset = 0; offset <= all.length; offset += 1) {
      expect(put(textOf(all.join("")), offset, "🎉z")!.text).toBe(`${all.slice(0, offset).join("")}🎉z`);
    }
  });

  it("has to be read where pieces before it are missing", () => {
    expect(put(textOf("abc"), 4, "e")).toBeNull();
  });
});
