import { afterEach, describe, expect, it, vi } from "vitest";

import { Problem, Unreachable } from "../../src/api/client";
import { withAccepted, withAnswers } from "../../src/chat/accepted";
import { scaleOf } from "../../src/chat/ratings";
import { sayOnce } from "../../src/chat/sending";
import { branchOf, treeOf } from "../../src/chat/tree";
import type { Accepted, Sent } from "../../src/chat/types";

const AT = "2026-11-21T20:00:00Z";
const accepted = (more: Partial<Accepted> = {}): Accepted => ({
  success: true, id: "a1", role: "assistant", content: "", taskId: "run_1", orchestrated: true, conversation_id: "c", message_id: "q1", answers: ["a1"], battle: null, ...more,
});
const sent = (more: Partial<Sent> = {}): Sent => ({ id: "c", message: { id: "q1", role: "user", parts: [{ type: "text", text: "Hello\nyou" }] }, parent: null, ...more });

describe("a conversation once a message was accepted", () => {
  it("has the message and what is written now", () => {
    const begun = withAccepted(null, sent(), accepted(), "me", AT);
    expect(begun).toMatchObject({ id: "c", title: "Hello", leaf: "a1", writing: 1, total: 2 });
    expect(branchOf(treeOf(begun.messages), begun.leaf).map((place) => [place.message.id, place.message.status])).toEqual([["q1", "completed"], ["a1", "writing"]]);
    const next = withAccepted(begun, sent({ parent: "a1" }), accepted({ message_id: "q2", id: "a2", answers: ["a2"] }), "me", AT);
    expect(branchOf(treeOf(next.messages), next.leaf).map((place) => place.message.id)).toEqual(["q1", "a1", "q2", "a2"]);
  });

  it("knows a battle and a mixture from the start", () => {
    const battle = withAccepted(null, sent(), accepted({ answers: ["a1", "a2"], battle: "b" }), "me", AT);
    expect(branchOf(treeOf(battle.messages), battle.leaf)[1]!.battle.map((one) => one.id)).toEqual(["a1", "a2"]);
    const mixture = withAccepted(null, sent({ mixture: { proposers: ["x/1", "x/2"], aggregator: "x/1" } }), accepted(), "me", AT);
    expect(mixture.messages[1]!.agents).toBe(2);
  });

  it("keeps what was read meanwhile", () => {
    const begun = withAccepted(null, sent(), accepted(), "me", AT);
    const read = { ...begun, messages: begun.messages.map((one) => (one.id === "a1" ? { ...one, text: "written", model: "demo/plain" } : one)) };
    expect(withAccepted(read, sent(), accepted(), "me", AT).messages[1]).toMatchObject({ text: "written" });
    expect(withAnswers(read, accepted({ id: "a2", answers: ["a2"] }), "q1", 0, "me", AT).messages).toHaveLength(3);
  });
});

describe("a message that is sent", () => {
  const said = { id: "c", parent: null };
  const wait = () => Promise.resolve();
  afterEach(() => vi.restoreAllMocks());

  it("has the same id however often it is sent, until it was accepted", async () => {
    const ids: string[] = [];
    let away = 2;
    const send = (one: Sent) => {
      ids.push(one.message.id);
      return away-- > 0 ? Promise.reject(new Unreachable()) : Promise.resolve(accepted());
    };
    await sayOnce(said, "Hello", { send, wait });
    expect(new Set(ids).size).toBe(1);
    expect(ids).toHaveLength(3);
    await sayOnce(said, "Hello", { send, wait });
    expect(ids[3]).not.toBe(ids[0]);
  });

  it("keeps its id when it is sent again by hand, and has another when it is another", async () => {
    const ids: string[] = [];
    const send = (one: Sent) => {
      ids.push(one.message.id);
      return Promise.reject(new Unreachable());
    };
    await expect(sayOnce(said, "Hello", { send, wait })).rejects.toThrow(Unreachable);
    await expect(sayOnce(said, "Hello", { send, wait })).rejects.toThrow(Unreachable);
    expect(new Set(ids).size).toBe(1);
    await expect(sayOnce(said, "Other", { send, wait })).rejects.toThrow(Unreachable);
    expect(new Set(ids).size).toBe(2);
  });

  it("is not sent again when it was refused", async () => {
    const send = vi.fn(() => Promise.reject(new Problem(422, { message: "no" })));
    await expect(sayOnce(said, "Refused", { send, wait })).rejects.toThrow("no");
    expect(send).toHaveBeenCalledOnce();
  });
});

describe("the line of ratings", () => {
  it("has the average in its middle and all models on it", () => {
    for (const ratings of [[], [1000], [1211, 894], [700, 1900]]) {
      const { at, ticks } = scaleOf(ratings.map((rating) => ({ rating })));
      expect(at(1000)).toBe(0.5);
      expect(ticks).toContain(1000);
      for (const rating of ratings) expect(at(rating)).toBeGreaterThanOrEqual(0), expect(at(rating)).toBeLessThanOrEqual(1);
      expect(ticks.length).toBeLessThanOrEqual(9);
    }
  });
});
