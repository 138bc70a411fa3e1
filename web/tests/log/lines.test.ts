import { describe, expect, it } from "vitest";

import { LineBuffer, MAX_LINE, type Line } from "../../src/run/log/lines";
import { look, PLAIN } from "../../src/run/log/styles";

const INFO = { level: "info", at: 1 };

function linesOf(...texts: string[]): Line[] {
  const buffer = new LineBuffer();
  for (const text of texts) buffer.append(text, INFO);
  const open = buffer.open();
  return open ? [...buffer.ended, open] : buffer.ended;
}
const textsOf = (...texts: string[]) => linesOf(...texts).map((line) => line.text);

/** A small generator, so that what failed once fails again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

describe("lines of a log", () => {
  it("ends lines at line feeds and keeps the one in hand", () => {
    expect(textsOf("a\nb\n\nc")).toEqual(["a", "b", "", "c"]);
    expect(textsOf("a\n")).toEqual(["a"]);
    expect(textsOf("")).toEqual([]);
  });

  it("takes a carriage return with a line feed for one end", () => {
    expect(textsOf("a\r\nb\r\n")).toEqual(["a", "b"]);
  });

  it("writes over the line after a carriage return, as a terminal does", () => {
    expect(textsOf(" 10 %\r 20 %\r100 %\n")).toEqual(["100 %"]);
    expect(textsOf("downloading\rdone\n")).toEqual(["doneloading"]);
    expect(textsOf("downloading\r\u001b[Kdone\n")).toEqual(["done"]);
    expect(textsOf("downloading\u001b[2K\rdone\n")).toEqual(["done"]);
    expect(textsOf("abc\b\bX\n")).toEqual(["aXc"]);
  });

  it("drops escapes that are not looks", () => {
    expect(textsOf("\u001b[2J\u001b[1;1Hx\u001b]0;title\u0007y\u001b]8;;http://a\u001b\\z\u001b(B!\n")).toEqual(["xyz!"]);
  });

  it("does not let an escape without an end take what follows", () => {
    expect(textsOf("a\u001b]0;never ends\nb\u001b[12\nc")).toEqual(["a", "b", "c"]);
    const [line] = linesOf(`\u001b]${"x".repeat(5000)}end`);
    expect(line!.text.endsWith("xend")).toBe(true);
  });

  it("gives spans their looks and joins alike ones", () => {
    const [line] = linesOf("a\u001b[1;31mred\u001b[0m b \u001b[38;5;208mx\u001b[48;2;1;2;3my\u001b[m");
    expect(line!.text).toBe("ared b xy");
    expect(line!.spans!.map(({ from, to }) => [from, to])).toEqual([[1, 4], [7, 8], [8, 9]]);
    expect(line!.spans![0]!.style).toMatchObject({ fg: 1, bold: true });
    expect(line!.spans![1]!.style).toMatchObject({ fg: "#ff8700", bg: null });
    expect(line!.spans![2]!.style).toMatchObject({ fg: "#ff8700", bg: "#010203" });
    expect(linesOf("\u001b[31ma", "b\u001b[39m")[0]!.spans).toHaveLength(1);
  });

  it("reads colours with colons, and leaves out what is no colour", () => {
    expect(linesOf("\u001b[38:2::255:0:10mx")[0]!.spans![0]!.style.fg).toBe("#ff000a");
    expect(linesOf("\u001b[38;5;999mx")[0]!.spans).toBeNull();
    expect(linesOf("\u001b[4:3mx")[0]!.spans![0]!.style).toMatchObject({ underline: true, italic: false });
  });

  it("takes the look of what is written over away", () => {
    const [line] = linesOf("\u001b[31mabcdef\u001b[0m\rXY");
    expect(line!.text).toBe("XYcdef");
    expect(line!.spans).toEqual([{ from: 2, to: 6, style: expect.objectContaining({ fg: 1 }) }]);
  });

  it("keeps a look over the end of a line until it is reset", () => {
    const [, second] = linesOf("\u001b[32ma\nb\u001b[0mc");
    expect(second!.spans).toEqual([{ from: 0, to: 1, style: expect.objectContaining({ fg: 2 }) }]);
  });

  it("cuts long lines and counts what is left out", () => {
    const [line, next] = linesOf(`${"x".repeat(MAX_LINE + 123)}\nshort`);
    expect(line!.text).toHaveLength(MAX_LINE);
    expect(line!.cut).toBe(123);
    expect(next).toMatchObject({ text: "short", cut: 0 });
  });

  it("marks a line with the worst level of what it is made of", () => {
    const buffer = new LineBuffer();
    buffer.append("out ", { level: "info", at: 1 });
    buffer.append("err\n", { level: "error", at: 2 });
    buffer.append("next\n", { level: "stdout", at: 3 });
    expect(buffer.ended.map(({ level, at }) => [level, at])).toEqual([["error", 1], ["info", 3]]);
  });

  it("replaces the line in hand and never changes what it gave out", () => {
    const buffer = new LineBuffer();
    buffer.append("\u001b[31mab", INFO);
    const before = buffer.open()!;
    buffer.append("cd\rX", INFO);
    expect(before).toMatchObject({ text: "ab", spans: [{ from: 0, to: 2 }] });
    expect(buffer.open()!.text).toBe("Xbcd");
  });

  it("puts a notice on a line of its own", () => {
    const buffer = new LineBuffer();
    buffer.append("half", INFO);
    buffer.notice("[gap]");
    buffer.append("rest\n", INFO);
    expect(buffer.ended.map((line) => line.text)).toEqual(["half", "[gap]", "rest"]);
  });

  it("gives the same lines however the text is cut into pieces", () => {
    const parts = ["a", "bc", "\n", "\r", "\r\n", "\b", "\t", "\u001b[31m", "\u001b[0m", "\u001b[1;4m", "\u001b[K", "\u001b[1K", "\u001b[2K", "\u001b[38;5;20m", "\u001b]0;t\u0007", "\u001b(B",
      "\u001b", "\u009b32m", "é", "😀", "\u0000", "x".repeat(40), "\u001b[", "m", "12"];
    for (let seed = 1; seed <= 150; seed += 1) {
      const next = random(seed);
      const text = Array.from({ length: 60 }, () => parts[Math.floor(next() * parts.length)]).join("");
      const whole = linesOf(text);
      const pieces: string[] = [];
      for (let at = 0; at < text.length;) {
        const size = 1 + Math.floor(next() * 7);
        pieces.push(text.slice(at, at + size));
        at += size;
      }
      expect(linesOf(...pieces), `seed ${seed}`).toEqual(whole);
      for (const line of whole) {
        let last = 0;
        for (const span of line.spans ?? []) {
          expect(span.from).toBeGreaterThanOrEqual(last);
          expect(span.to).toBeGreaterThan(span.from);
          expect(span.to).toBeLessThanOrEqual(line.text.length);
          last = span.to;
        }
      }
    }
  });

  it("takes 40,000 lines in pieces within a moment", () => {
    const buffer = new LineBuffer();
    const piece = Array.from({ length: 100 }, (_, at) => `\u001b[32m${at}\u001b[0m some words of a log line that is about a hundred characters long, more or less`).join("\n") + "\n";
    const start = performance.now();
    for (let at = 0; at < 400; at += 1) buffer.append(piece, INFO);
    expect(buffer.count).toBe(40_000);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

describe("looks", () => {
  it("are classes for the palette and variables for other colours", () => {
    expect(look({ ...PLAIN, fg: 1, bold: true })).toEqual({ class: "ansi ansi-fg-1 ansi-bold", vars: undefined });
    expect(look({ ...PLAIN, fg: "#ff8700", bg: "#000000" })).toEqual({ class: "ansi ansi-fg-any ansi-bg-any", vars: { "--ansi-fg": "#ff8700", "--ansi-bg": "#000000" } });
  });
});
