import { describe, expect, it } from "vitest";

import type { LiveEvent, StepEvent, TextEvent } from "../../src/api/types";
import { fold, partOf, rebase, type Part } from "../../src/chat/live/fold";
import type { Told } from "../../src/live/fold";
import { message } from "./made";

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
