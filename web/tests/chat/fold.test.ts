import { describe, expect, it } from "vitest";

import type { LiveEvent, StepEvent, TextEvent } from "../../src/api/types";
import { fold as foldAt, partOf, rebase as rebaseAt, type Part } from "../../src/chat/live/fold";
import type { Told } from "../../src/live/fold";
import type { Message } from "../../src/chat/types";
import { message } from "./made";

const NOW = Date.parse("2026-11-21T20:00:05Z");
const fold = (part: Part, one: Told, now = NOW) => foldAt(part, one, now);
const rebase = (part: Part | undefined, read: Message, now = NOW) => rebaseAt(part, read, now);

let seq = 0;
const told = (event: LiveEvent, at = ++seq, epoch = 1): Told => ({ epoch, seq: at, position: `${epoch}-${at}`, event });
const piece = (offset: number, text: string, attempt = 1, key = "answer"): TextEvent => ({ type: "text", index: 0, key, attempt, offset, text });
const stepped = (status: StepEvent["status"], more: Partial<StepEvent> = {}): StepEvent => ({
  type: "step", version: 1, index: 0, key: "answer", status, attempt: 1, waiting_for: null, due_at: null, message: null, error: null, ...more,
});
const writing = (text = "", more = {}) =>
  message("m", "q", "assistant", { status: "writing", text, attempt: 1, position: "1-0", step: { key: "answer", status: "in_progress", attempt: 1 }, ...more });
const all = (part: Part, events: readonly Told[]) => events.reduce((folded, one) => fold(folded.part, one), { part, incomplete: false });

describe("events of a run in a message", () => {
  it("write its text, once however often they come", () => {
    const events = [told(piece(0, "Hel"), 1), told(piece(3, "lo 😀"), 2), told(piece(7, "!"), 3)];
    const once = all(partOf(writing()), events);
    expect(once.part.message.text).toBe("Hello 😀!");
    expect(all(once.part, events).part.message.text).toBe("Hello 😀!");
    expect(once.incomplete).toBe(false);
  });

  it("go on behind what was read, and leave other steps alone", () => {
    const part = partOf(writing("Hello", { position: "1-5" }));
    const after = all(part, [told(piece(3, "XX"), 4), told(piece(0, "other", 1, "agent1"), 6), told(piece(5, " you"), 7)]);
    expect(after.part.message.text).toBe("Hello you");
  });

  it("write anew where an attempt does, and not for a worker that was given up", () => {
    const part = partOf(writing("First try", { attempt: 2 }));
    const after = all(part, [told(piece(9, " of the lost one", 1)), told(piece(0, "Anew", 3))]);
    expect(after.part.message).toMatchObject({ text: "Anew", attempt: 3 });
  });

  it("hold pieces back until what stands before them was read", () => {
    const gap = all(partOf(writing("Hello", { position: "1-1" })), [told(piece(9, "gap"), 8), told(piece(12, " end"), 9)]);
    expect(gap.incomplete).toBe(true);
    expect(gap.part.message.text).toBe("Hello");
    expect(rebase(gap.part, writing("Hello my gap", { position: "1-8" })).part.message.text).toBe("Hello my gap end");
    expect(rebase(gap.part, writing("Hello my gap end", { position: "1-9" })).part).toMatchObject({ held: [], message: { text: "Hello my gap end" } });
  });

  it("say what it waits for, until when and why; an end has to be read", () => {
    const error = { code: "model.timeout", message: "no answer for 60 s" } as StepEvent["error"];
    const waits = fold(partOf(writing("Hel")), told(stepped("waiting", { waiting_for: "retry", due_at: "2026-11-21T20:01:00Z", error })));
    expect(waits.part.message.step).toMatchObject({ status: "waiting", waiting_for: "retry", until: "2026-11-21T20:01:00Z", why: "no answer for 60 s" });
    expect(waits.incomplete).toBe(false);
    expect(fold(waits.part, told(piece(3, "lo", 2))).part.message.step).toMatchObject({ status: "in_progress", waiting_for: null });
    expect(fold(waits.part, told(stepped("failed", { error }))).incomplete).toBe(true);
  });

  it("begin it again where it had ended", () => {
    const failed = partOf(message("m", "q", "assistant", { status: "failed", error: { message: "no" }, step: { key: "answer", status: "failed", attempt: 3 } }));
    const again = fold(failed, told(stepped("ready", { attempt: 3 })));
    expect(again).toMatchObject({ incomplete: true, part: { message: { status: "writing", error: null } } });
  });
});

describe("a model that thinks", () => {
  const thinks = (says: string, attempt = 1, key = "answer"): LiveEvent => ({ type: "progress", index: 0, key, attempt, progress: { type: "simple", message: says } as never });
  const thinking = { doing: "Thinking", doing_since: "2026-11-21T20:00:05.000Z" };

  it("is said to, since when it told so, until its first word", () => {
    const part = fold(partOf(writing()), told(thinks("Thinking"))).part;
    expect(part.message.step).toMatchObject(thinking);
    expect(fold(part, told(thinks("Thinking")), NOW + 9000).part.message.step).toMatchObject(thinking);
    expect(fold(part, told(piece(0, "Hello"))).part.message.step).toMatchObject({ doing: null, doing_since: null });
    expect(fold(part, told(stepped("waiting", { waiting_for: "retry" }))).part.message.step).toMatchObject({ doing: null });
  });

  it("is another one where a worker was given up, or another agent thinks", () => {
    const part = partOf(writing("", { attempt: 2, step: { key: "answer", status: "in_progress", attempt: 2 } }));
    expect(fold(part, told(thinks("Thinking", 1))).part).toBe(part);
    expect(fold(part, told(thinks("Thinking", 2, "agent1"))).part).toBe(part);
  });

  it("is known from what was read, and thinks no shorter for being read before its time was stored", () => {
    const read = writing("", { step: { key: "answer", status: "in_progress", attempt: 1, doing: "Thinking", doing_since: null } });
    expect(rebase(undefined, read).part.message.step).toMatchObject(thinking);
    const part = fold(partOf(writing()), told(thinks("Thinking"), 3)).part;
    expect(rebase(part, { ...read, position: "1-9" }, NOW + 400).part.message.step).toMatchObject(thinking);
    const stored = { ...read.step!, doing_since: "2026-11-21T20:00:04.900Z" };
    expect(rebase(part, { ...read, position: "1-9", step: stored }).part.message.step).toMatchObject(stored);
    // What was read before it told so is older.
    expect(rebase(part, writing("", { position: "1-2" })).part.message.step).toMatchObject(thinking);
  });
});

describe("a message that was read", () => {
  it("is put below what events have told since", () => {
    const part = all(partOf(writing("", { position: "1-10" })), [told(piece(0, "Hello"), 11), told(piece(5, " you"), 12)]).part;
    expect(rebase(part, writing("Hello", { position: "1-11" })).part.message.text).toBe("Hello you");
    expect(rebase(part, writing("Hello you all", { position: "1-13" })).part.message.text).toBe("Hello you all");
    expect(rebase(part, writing("New", { position: "2-1" })).part.message.text).toBe("New");
  });

  it("takes nothing back that was shown while the stream is away", () => {
    const shown = partOf(writing("Hello you", { position: null }));
    expect(rebase(shown, writing("Hello", { position: null })).part.message.text).toBe("Hello you");
    expect(rebase(shown, writing("Other", { position: null })).part.message.text).toBe("Other");
    expect(rebase(shown, writing("", { position: null, attempt: 2 })).part.message.text).toBe("");
  });

  it("is the last word once it has ended", () => {
    const part = partOf(writing("Hello you and more", { position: "1-9" }));
    expect(rebase(part, message("m", "q", "assistant", { status: "stopped", text: "Hello" })).part.message).toMatchObject({ status: "stopped", text: "Hello" });
  });
});
