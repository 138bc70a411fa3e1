import { describe, expect, it, vi } from "vitest";

import { imageAt, linkTo } from "../../src/chat/markdown/addresses";
import { decoded } from "../../src/chat/markdown/entities";
import { Growing } from "../../src/chat/markdown/growing";
import { mended } from "../../src/chat/markdown/mend";
import { painted } from "../../src/chat/markdown/paint";

const SAMPLE = `# A **head**

Some *words*, \`code\` and a [link](https://example.org/a_(b)?x=1&y=2 "title") with ~~old~~ **bold *both* \`x*y\`** text.
Second line\\
third &amp; &lt;b&gt; 😀 ![alt](/static/mark.svg)

- one
- two **bold**
  1. nested
  2. more

     a paragraph
- [ ] open
- [x] done

> quoted
> > deeper

| a | b |
| :-- | --: |
| 1 | \`x\\|y\` |

\`\`\`python title
def f(x: int) -> str:
    return "a" # comment
\`\`\`

    indented

<script>alert(1)</script> <b onclick="x()">bold</b>

[ref]: https://example.org/ref
See [ref] and <https://example.org> and https://example.org/auto.

Setext
======

***

2. two
3. three
`;

const flat = (text: string, growing = new Growing()) => growing.blocks(text, false).map(({ at, token }) => ({ at, raw: token.raw, type: token.type }));

describe("Markdown that grows", () => {
  it("never fails, wherever it is cut, and ends as if it had come at once", () => {
    const growing = new Growing();
    const failed = vi.spyOn(console, "error");
    for (let end = 0; end <= SAMPLE.length; end += 1) {
      const blocks = growing.blocks(SAMPLE.slice(0, end), true);
      expect(blocks.filter((one) => one.open).length).toBeLessThanOrEqual(1);
      expect(new Set(blocks.map((one) => one.at)).size).toBe(blocks.length);
    }
    expect(failed).not.toHaveBeenCalled();
    expect(growing.blocks(SAMPLE, false).map(({ at, token }) => ({ at, raw: token.raw, type: token.type }))).toEqual(flat(SAMPLE));
  }, 60_000);

  it("never fails on what comes in any order", () => {
    const parts = ["**", "*", "_", "`", "```", "~~", "[", "](", ")", "!", "|", "\n", "\n\n", "- ", "1. ", "> ", "# ", "---", "<b>", "\\", "&#", ";", "a", " ", "😀", "\t", "\r\n", "https://x.y"];
    let seed = 7;
    const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
    const failed = vi.spyOn(console, "error");
    for (let round = 0; round < 400; round += 1) {
      const growing = new Growing();
      let text = "";
      for (let piece = 0; piece < 40; piece += 1) {
        text += parts[Math.floor(random() * parts.length)]!;
        growing.blocks(text, true);
      }
      expect(growing.blocks(text, false).map((one) => one.token.raw)).toEqual(flat(text).map((one) => one.raw));
    }
    expect(failed).not.toHaveBeenCalled();
  }, 60_000);

  it("is not held up by what is made to be slow", () => {
    const growing = new Growing();
    const hostile = "_a_b".repeat(5000);
    const began = performance.now();
    growing.blocks(hostile, true);
    const once = performance.now() - began;
    for (let more = 0; more < 20; more += 1) growing.blocks(hostile + "x".repeat(more), true);
    expect(performance.now() - began).toBeLessThan(Math.max(once, 25) * 6);
    expect(growing.blocks(`${hostile}\n\nend`, false).at(-1)!.token.raw).toBe("end");
    expect(mended("**a *b ".repeat(4000)).length).toBeLessThan(28_100);
  }, 60_000);

  it("reads whole blocks once: they stay the same objects", () => {
    const growing = new Growing();
    const before = growing.blocks("one\n\ntwo\n\nthr", true);
    const after = growing.blocks("one\n\ntwo\n\nthree and four", true);
    expect(after[0]).toBe(before[0]);
    expect(after[1]).toBe(before[1]);
    expect(after[2]).not.toBe(before[2]);
  });

  it("begins anew with a text that was written anew", () => {
    const growing = new Growing();
    growing.blocks("one\n\ntwo\n\nthree", true);
    expect(growing.blocks("other\n\ntext", true).map((one) => one.token.raw.trim())).toEqual(["other", "text"]);
  });

  it("streams 50 kB without reading it all again and again", () => {
    const text = SAMPLE.repeat(70).slice(0, 50_000);
    const growing = new Growing();
    const began = performance.now();
    for (let end = 0; end < text.length; end += 25) growing.blocks(text.slice(0, end), true);
    // About 0.4 ms where nothing else runs.
    expect((performance.now() - began) / 2000).toBeLessThan(8);
  }, 60_000);

  it("takes HTML for text", () => {
    const types = (text: string): string[] => {
      const found: string[] = [];
      const walk = (tokens: readonly { type: string; tokens?: never[] }[]) => tokens.forEach((one) => { found.push(one.type); walk(one.tokens ?? []); });
      walk(new Growing().blocks(text, false).map((one) => one.token) as never[]);
      return found;
    };
    for (const hostile of ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a <b>b</b> <!-- c -->", "<div>\n<style>*{}</style>\n</div>", "<iframe srcdoc='<script>'>"]) {
      expect(types(hostile)).not.toContain("html");
    }
  });
});

describe("half-written Markdown", () => {
  it.each([
    ["**bo", "**bo**"],
    ["**bold** and *it", "**bold** and *it*"],
    ["***both", "***both***"],
    ["**bold *both", "**bold *both***"],
    ["**bold ", "**bold**"],
    ["a **", "a "],
    ["a **bold*", "a **bold**"],
    ["a `co", "a `co`"],
    ["a `co*d", "a `co*d`"],
    ["a ``co`d", "a ``co`d``"],
    ["a `", "a "],
    ["~~ol", "~~ol~~"],
    ["snake_case and 2 * 3 * 4", "snake_case and 2 * 3 * 4"],
    ["see [the li", "see the li"],
    ["see [the link]", "see the link"],
    ["see [the link](https://exa", "see the link"],
    ["see [the link](https://example.org) and", "see [the link](https://example.org) and"],
    ["a footnote [1] here", "a footnote [1] here"],
    ["look ![a pict", "look "],
    ["text\n-", "text"],
    ["text\n==", "text"],
    ["- one\n- ", "- one"],
    ["- one\n- **tw", "- one\n- **tw**"],
    ["one **open\n\ntwo", "one **open\n\ntwo"],
    ["#", ""],
    ["| a | b", "| a | b |\n| --- | --- |"],
    ["| a | b |\n|--", "| a | b |\n| --- | --- |"],
    ["```py\nx = **a", "```py\nx = **a"],
    ["```py\nx = 1\n``", "```py\nx = 1"],
    ["```py\nx = 1\n```\n**b", "```py\nx = 1\n```\n**b**"],
    ["a \\*b", "a \\*b"],
  ])("%j is shown as %j", (written, shown) => expect(mended(written)).toBe(shown));
});

describe("addresses", () => {
  it("are of http and https alone", () => {
    expect(linkTo("https://example.org/a?b=c")).toBe("https://example.org/a?b=c");
    expect(linkTo("http://example.org")).toBe("http://example.org/");
    const hostile = ["javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "javascript&#58;alert(1)", "&#106;avascript:alert(1)", "data:text/html,<script>", "vbscript:x", "file:///etc/passwd", "blob:https://x/y", "//example.org", "/workflow/stop", "#top", "", "mailto:a@b.c"];
    for (const one of hostile) expect(linkTo(one)).toBeNull();
  });

  it("of images are our own", () => {
    expect(imageAt("/static/mark.svg", "https://own.example")).toBe("https://own.example/static/mark.svg");
    expect(imageAt("https://own.example/a.png", "https://own.example")).toBe("https://own.example/a.png");
    for (const other of ["https://other.example/a.png", "//other.example/a.png", "/\\other.example/a.png", "data:image/svg+xml,<svg onload=alert(1)>", "javascript:alert(1)", "https://own.example@other.example/", "https://own.example.other/", "a.png"]) {
      expect(imageAt(other, "https://own.example")).toBeNull();
    }
  });
});

describe("text", () => {
  it("has its references read once", () => {
    expect(decoded("a &lt;b&gt; &amp;lt; &#60; &#x3C; &nope; &#0; &#xD800; & b")).toBe("a <b> &lt; < < &nope; \ufffd \ufffd & b");
  });

  it("that is code keeps every character, whatever its colours", () => {
    const code = 'def f(x):\n    # say "it"\n    return f"{x}" + \'a\\\'b\' # 12\n/* open "';
    for (const language of ["python", "ts", "sql", "", "nonsense"]) expect(painted(code, language).map((part) => part.text).join("")).toBe(code);
    expect(painted("return 1 # no", "python").map((part) => part.paint)).toEqual(["word", null, "number", null, "comment"]);
  });
});
