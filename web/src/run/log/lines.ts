// A log as lines, the way a terminal would leave them on its screen. Text is appended in pieces of any size; what was
// parsed is never parsed again, and how the text was cut into pieces makes no difference.
import { applySgr, PLAIN, type Style } from "./styles";

export type Level = "debug" | "info" | "warning" | "error";

/** A part of a line with one look. */
export interface Span {
  from: number;
  to: number;
  style: Style;
}

/** One line; never changed once it was given out, but replaced while it is the last. */
export interface Line {
  text: string;
  /** Null: plain from end to end. */
  spans: Span[] | null;
  level: Level;
  /** When the piece that began it was stored, or, if `received`, came here; null: unknown. */
  at: number | null;
  received: boolean;
  /** Characters left out behind `MAX_LINE`. */
  cut: number;
}

export interface Origin {
  level: string;
  at: number | null;
  received?: boolean;
}

export const MAX_LINE = 10_000;
/** A step's log is 4 MiB at most, so this many lines are nearly empty ones; a list of more would be too high for browsers. */
export const MAX_LINES = 500_000;
const MAX_ESCAPE = 4096;

const LEVELS: readonly Level[] = ["debug", "info", "warning", "error"];
// All controls but the tab, which is text.
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;

type Mode = "text" | "escape" | "sequence" | "string" | "string-escape" | "skip-one";

export class LineBuffer {
  /** Lines that ended. */
  readonly ended: Line[] = [];
  /** Lines behind `MAX_LINES`, which are not kept. */
  dropped = 0;
  /** The longest line in characters, for the width of what scrolls. */
  longest = 0;

  private text = "";
  private spans: Span[] = [];
  private cursor = 0;
  private reach = 0;
  private touched = false;
  private level = 0;
  private at: number | null = null;
  private received = false;
  private style: Style = PLAIN;
  private mode: Mode = "text";
  private parameters = "";
  private skipped = 0;

  /** Take the next piece of the text. */
  append(text: string, origin: Origin): void {
    let at = 0;
    while (at < text.length) {
      if (this.mode !== "text") {
        at = this.continueEscape(text, at, origin);
        continue;
      }
      CONTROL.lastIndex = at;
      const found = CONTROL.exec(text);
      const end = found ? found.index : text.length;
      if (end > at) this.put(text.slice(at, end), origin);
      if (found) this.control(text.charCodeAt(end), origin);
      at = end + (found ? 1 : 0);
    }
  }

  /** A line of our own, such as a notice of what is missing; ends the line in hand. */
  notice(text: string): void {
    if (this.touched) this.endLine();
    this.put(text, { level: "warning", at: null });
    this.endLine();
  }

  get count(): number {
    return this.ended.length + (this.touched && this.ended.length < MAX_LINES ? 1 : 0);
  }

  /** The line that has not ended yet; null when nothing of it is there. */
  open(): Line | null {
    return this.touched ? this.line() : null;
  }

  private line(): Line {
    const styled = this.spans.length > 0;
    return {
      text: this.text,
      spans: styled ? this.spans.slice() : null,
      level: LEVELS[this.level]!,
      at: this.at,
      received: this.received,
      cut: Math.max(0, this.reach - MAX_LINE),
    };
  }

  private endLine(): void {
    if (this.ended.length < MAX_LINES) this.ended.push(this.line());
    else this.dropped += 1;
    this.text = "";
    this.spans = [];
    this.cursor = 0;
    this.reach = 0;
    this.level = 0;
    this.at = null;
    this.received = false;
    this.touched = false;
  }

  private touch(origin: Origin): void {
    if (!this.touched) {
      this.touched = true;
      this.at = origin.at;
      this.received = origin.received ?? false;
    }
    this.level = Math.max(this.level, LEVELS.indexOf(levelOf(origin.level)));
  }

  private put(text: string, origin: Origin): void {
    this.touch(origin);
    const from = this.cursor;
    this.cursor += text.length;
    this.reach = Math.max(this.reach, this.cursor);
    if (from >= MAX_LINE) return;
    const part = this.cursor > MAX_LINE ? text.slice(0, MAX_LINE - from) : text;
    const to = from + part.length;
    // Behind what was erased there may be nothing up to the cursor.
    if (this.text.length < from) this.text = this.text.padEnd(from);
    if (from === this.text.length) {
      this.text += part;
    } else {
      this.text = this.text.slice(0, from) + part + this.text.slice(to);
      this.spans = without(this.spans, from, to);
    }
    if (this.style !== PLAIN) this.spans = withSpan(this.spans, { from, to, style: this.style });
    this.longest = Math.max(this.longest, this.text.length);
  }

  private control(code: number, origin: Origin): void {
    switch (code) {
      case 0x0a:
        this.touch(origin);
        this.endLine();
        break;
      case 0x0d:
        this.cursor = 0;
        break;
      case 0x08:
        this.cursor = Math.max(0, this.cursor - 1);
        break;
      case 0x1b:
        this.enter("escape");
        break;
      case 0x9b:
        this.enter("sequence");
        break;
      case 0x90: case 0x98: case 0x9d: case 0x9e: case 0x9f:
        this.enter("string");
        break;
    }
  }

  private enter(mode: Mode): void {
    this.mode = mode;
    this.parameters = "";
    this.skipped = 0;
  }

  /** Go on in an escape that began earlier; returns where the text goes on. */
  private continueEscape(text: string, at: number, origin: Origin): number {
    const code = text.charCodeAt(at);
    // No escape reaches over the end of a line, nor far: text must not disappear behind one that never ends.
    if (code === 0x0a || (this.skipped += 1) > MAX_ESCAPE) {
      this.mode = "text";
      if (code === 0x0a) this.control(code, origin);
      return at + 1;
    }
    switch (this.mode) {
      case "escape":
        if (code === 0x5b) this.enter("sequence");
        else if (code === 0x5d || code === 0x50 || code === 0x58 || code === 0x5e || code === 0x5f) this.enter("string");
        else if (code >= 0x20 && code <= 0x2f) this.mode = "skip-one";
        else this.mode = "text";
        break;
      case "skip-one":
        if (code < 0x20 || code > 0x2f) this.mode = "text";
        break;
      case "sequence":
        if (code >= 0x40 && code <= 0x7e) {
          this.mode = "text";
          this.sequence(text[at]!, origin);
        } else if (this.parameters.length < 256) {
          this.parameters += text[at]!;
        }
        break;
      case "string":
        if (code === 0x07 || code === 0x9c) this.mode = "text";
        else if (code === 0x1b) this.mode = "string-escape";
        break;
      case "string-escape":
        this.mode = code === 0x5c ? "text" : "string";
        break;
    }
    return at + 1;
  }

  private sequence(kind: string, origin: Origin): void {
    if (kind === "m" && /^[\d;:]*$/.test(this.parameters)) {
      this.style = applySgr(this.style, this.parameters);
    } else if (kind === "K" && /^[012]?$/.test(this.parameters)) {
      this.erase(this.parameters === "" ? 0 : Number(this.parameters), origin);
    }
  }

  /** Erase within the line, as progress bars do before they write it anew. */
  private erase(how: number, origin: Origin): void {
    if (!this.touched) return;
    this.touch(origin);
    const at = Math.min(this.cursor, this.text.length);
    if (how === 0) {
      this.text = this.text.slice(0, at);
      this.reach = Math.min(this.reach, this.cursor);
      this.spans = without(this.spans, at, MAX_LINE);
    } else if (how === 1) {
      const to = Math.min(this.cursor + 1, this.text.length);
      this.text = " ".repeat(to) + this.text.slice(to);
      this.spans = without(this.spans, 0, to);
    } else {
      this.text = "";
      this.reach = 0;
      this.spans = [];
    }
  }
}

function levelOf(word: string): Level {
  switch (word.toLowerCase()) {
    case "error": case "critical": case "fatal": return "error";
    case "warning": case "warn": case "stderr": return "warning";
    case "debug": case "trace": return "debug";
    default: return "info";
  }
}

/** The spans with nothing between two places. */
function without(spans: Span[], from: number, to: number): Span[] {
  const left: Span[] = [];
  for (const span of spans) {
    if (span.to <= from || span.from >= to) left.push(span);
    else {
      if (span.from < from) left.push({ ...span, to: from });
      if (span.to > to) left.push({ ...span, from: to });
    }
  }
  return left;
}

/** The spans with one more, where there is none; in order, joined with one before it of the same look. */
function withSpan(spans: Span[], span: Span): Span[] {
  const last = spans[spans.length - 1];
  if (!last || last.to <= span.from) {
    if (last && last.to === span.from && last.style === span.style) spans[spans.length - 1] = { ...last, to: span.to };
    else spans.push(span);
    return spans;
  }
  const all = [...spans, span].sort((one, other) => one.from - other.from);
  return all.reduce<Span[]>((joined, one) => {
    const before = joined[joined.length - 1];
    if (before && before.to === one.from && before.style === one.style) joined[joined.length - 1] = { ...before, to: one.to };
    else joined.push(one);
    return joined;
  }, []);
}
