import { describe, expect, it } from "vitest";

import { characters, Early, place, skipCharacters, type Piece } from "../../src/run/log/pieces";

const piece = (offset: number, text: string): Piece => ({ offset, text, level: "info", at: null, received: true });

describe("characters", () => {
  it("are counted as the server does", () => {
    expect(characters("abc")).toBe(3);
    expect(characters("a😀b")).toBe(3);
    expect(characters("\ud83d")).toBe(1);
    expect(skipCharacters("a😀b", 2)).toBe("b");
  });
});

describe("placing a piece", () => {
  it("tells what is next, known, partly known, or behind a gap", () => {
    expect(place(3, piece(3, "abc"))).toEqual({ kind: "next", text: "abc", end: 6 });
    expect(place(6, piece(3, "abc"))).toEqual({ kind: "known" });
    expect(place(4, piece(3, "😀bc"))).toEqual({ kind: "next", text: "bc", end: 6 });
    expect(place(2, piece(3, "abc"))).toEqual({ kind: "gap" });
  });

  it("goes by what a piece stands for, where something was taken out of it", () => {
    expect(place(0, piece(0, "***"), 12)).toEqual({ kind: "next", text: "***", end: 12 });
  });

  it("puts shuffled, repeated and overlapping pieces together to the same text", () => {
    const text = "one 😀 two\nthree é four 😀😀 five\n".repeat(6);
    const units = [...text];
    for (let seed = 1; seed <= 60; seed += 1) {
      let state = seed * 7919;
      const next = (below: number) => { state = (state * 1103515245 + 12345) % 2147483648; return state % below; };
      const pieces: Piece[] = [];
      for (let at = 0; at < units.length;) {
        const size = 1 + next(9);
        pieces.push(piece(at, units.slice(at, at + size).join("")));
        if (next(4) === 0) pieces.push(piece(at, units.slice(at, at + size).join("")));
        at += next(3) === 0 ? Math.max(1, size - next(size)) : size;
      }
      for (let at = pieces.length - 1; at > 0; at -= 1) {
        const other = next(at + 1);
        [pieces[at], pieces[other]] = [pieces[other]!, pieces[at]!];
      }
      const early = new Early();
      let end = 0;
      let built = "";
      const take = (one: Piece) => {
        const placed = place(end, one);
        if (placed.kind === "gap") return early.keep(one);
        if (placed.kind === "next") { built += placed.text; end = placed.end; }
      };
      for (const one of pieces) {
        take(one);
        for (let kept = early.take(end); kept; kept = early.take(end)) take(kept);
      }
      expect(built, `seed ${seed}`).toBe(text);
      expect(early.empty).toBe(true);
    }
  });
});
