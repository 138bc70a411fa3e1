import { describe, expect, it } from "vitest";

import { known, NOBODY, request, whyNot } from "../../src/chat/asked";
import { newId, partsOf } from "../../src/chat/names";
import { endState, figures, writingState } from "../../src/chat/states";
import type { StepShown } from "../../src/chat/types";
import { message } from "./made";

const NOW = Date.parse("2026-11-21T20:00:10Z");
const words = (step: Partial<StepShown>, text = "", since = NOW) =>
  writingState(message("m", "q", "assistant", { status: "writing", text, step: { key: "answer", status: "in_progress", attempt: 1, ...step } }), NOW, since)?.words ?? null;

describe("how a message stands", () => {
  it("says for what it waits, and until when", () => {
    expect(words({ status: "ready" })).toBe("Waits for a free worker");
    expect(words({ status: "ready" }, "", NOW - 12_000)).toBe("Waits for a free worker for 12 s");
    expect(words({ status: "waiting", waiting_for: "retry", until: "2026-11-21T20:00:22Z" })).toBe("Asks again in 12 s");
    expect(words({ status: "waiting", waiting_for: "retry", until: "2026-11-21T20:00:09Z" })).toBe("Asks again now");
    expect(words({ status: "waiting", waiting_for: "rate_limit", until: null })).toBe("The provider takes no more requests just now; goes on as soon as it may");
    expect(words({ status: "waiting", waiting_for: "breaker", until: "2026-11-21T20:00:40Z" })).toBe("The provider is failing, so it is left alone; asked again in 30 s");
  });

  it("says nothing while words come, and that it goes on after an attempt was lost", () => {
    expect(words({}, "Hello")).toBeNull();
    expect(words({ attempt: 2 }, "Hello")).toBe("Goes on, attempt 2");
    expect(words({}, "", NOW - 5000)).toBe("Asked; no words yet for 5 s");
  });

  it("says that it thinks and for how long, also over a text that is to be replaced, and nothing more once it writes", () => {
    const thinks = { doing: "Thinking", doing_since: "2026-11-21T19:59:58Z" };
    expect(words(thinks)).toBe("Thinking, 12 s");
    expect(words({ ...thinks, attempt: 2 }, "What was finished before")).toBe("Thinking, 12 s; attempt 2");
    expect(words({ doing: "Thinking" }, "", NOW - 65_000)).toBe("Thinking, 1 m 05 s");
    expect(words({ ...thinks, doing: "Writing" }, "Hello")).toBeNull();
    // A clock that is ahead, or a filter that holds the text back.
    expect(words({ doing: "Writing", doing_since: "2026-11-21T20:00:11Z" })).toBe("Writing, 0 s");
  });

  it("says how it ended where that is not how it should", () => {
    expect(endState(message("m", "q"))).toBeNull();
    expect(endState(message("m", "q", "assistant", { text: "" }))?.words).toBe("The model answered nothing");
    expect(endState(message("m", "q", "assistant", { status: "stopped" }))?.words).toBe("Stopped; what was written by then is kept");
    expect(endState(message("m", "q", "assistant", { status: "failed", text: "", error: { message: "the provider answered 500" } }))).toMatchObject({ status: "failed", words: "The provider answered 500", more: null });
    expect(endState(message("m", "q", "assistant", { finish_reason: "length" }))?.words).toContain("greatest length");
  });

  it("tells what an answer took, and what of it is a guess", () => {
    const found = figures(message("m", "q", "assistant", {
      usage: { prompt_tokens: 1200, completion_tokens: 1, estimated: true }, timings: { first_token_ms: 320, total_ms: 14_000, tokens_per_s: 29.7 }, finish_reason: "stop",
    }));
    expect(found).toEqual([["Prompt", "about 1,200 tokens"], ["Answer", "about 1 token"], ["First word after", "320 ms"], ["All of it after", "14 s"], ["Pace", "about 30 tokens a second"], ["Ended by", "the model"]]);
  });
});

describe("who is asked", () => {
  const models = ["demo/plain", "demo/fast", "mixture/three"].map((name) => ({ name, label: name, provider: partsOf(name).provider, kind: partsOf(name).provider === "mixture" ? "mixture" as const : "model" as const }));

  it("are models that there are", () => {
    expect(known({ ...NOBODY, model: "gone/x", agents: ["demo/fast", "gone/x"] }, models, "demo/plain")).toMatchObject({ model: "demo/plain", agents: ["demo/fast"], aggregator: "demo/plain" });
    expect(known(NOBODY, models, "mixture/three")).toMatchObject({ model: "mixture/three", aggregator: "demo/plain" });
    expect(whyNot(known(NOBODY, [], null))).toContain("There is no model to ask");
  });

  it("are named in the request", () => {
    const asked = { ...NOBODY, model: "openai/org/gpt", agents: ["demo/fast"], aggregator: "demo/plain", contenders: ["demo/plain", "demo/fast"] };
    expect(request(asked)).toEqual({ chatModel: { provider: "openai", model: "org/gpt" } });
    expect(request({ ...asked, mode: "mixture" })).toEqual({ mixture: { proposers: ["demo/fast"], aggregator: "demo/plain" } });
    expect(request({ ...asked, mode: "arena" })).toEqual({ battle: ["demo/plain", "demo/fast"] });
    expect(whyNot({ ...asked, mode: "arena", contenders: ["demo/plain"] })).toBe("Choose two to four models to compare.");
  });

  it("have ids that nobody has", () => {
    expect(newId("msg", 5)).toMatch(/^msg_5_[0-9a-f]{16}$/);
    expect(newId("msg", 5)).not.toBe(newId("msg", 5));
  });
});
