import { describe, expect, it } from "vitest";

import { joined, withOlder } from "../../src/chat/pages";
import { branchOf, treeOf } from "../../src/chat/tree";
import type { ConversationShown } from "../../src/chat/types";
import { NONE } from "../../src/chat/settings";
import { message } from "./made";

/** Messages `from` to `to`, each following the one before. */
const chain = (from: number, to: number, status: "completed" | "writing" = "completed") =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at).map((number) => message(`m${number}`, number > 0 ? `m${number - 1}` : null, number % 2 ? "assistant" : "user", {
    created_at: new Date(Date.UTC(2026, 10, 21) + number * 1000).toISOString(), ...(number === to ? { status } : {}),
  }));

const shown = (messages: ConversationShown["messages"], older: string | null): ConversationShown => ({
  id: "c", title: "t", created_by: "a", created_at: "2026-11-21T20:00:00Z", updated_at: "2026-11-21T20:00:00Z", leaf: messages.at(-1)!.id, writing: 0, total: 300, settings: NONE, messages, older,
});

const ids = (conversation: ConversationShown) => conversation.messages.map((one) => one.id);

describe("a conversation that comes in pages", () => {
  it("keeps what is known when the last page moves on, and takes what is newer of it", () => {
    const first = joined(null, shown(chain(100, 199, "writing"), "m100"));
    const next = joined(first, shown(chain(102, 201), "m102"));
    expect(ids(next)).toEqual(chain(100, 201).map((one) => one.id));
    expect(next.older).toBe("m100");
    expect(next.messages.find((one) => one.id === "m199")!.status).toBe("completed");
  });

  it("begins with the page alone where something between would be missing", () => {
    const next = joined(shown(chain(0, 99), null), shown(chain(200, 299), "m200"));
    expect([ids(next).length, next.older]).toEqual([100, "m200"]);
  });

  it("puts older messages before those that are shown, and keeps them", () => {
    const more = withOlder(shown(chain(100, 199), "m100"), shown(chain(0, 99), null));
    expect(ids(more)).toEqual(chain(0, 199).map((one) => one.id));
    expect(more.older).toBeNull();
    expect(ids(joined(more, shown(chain(100, 199), "m100")))).toEqual(ids(more));
  });

  it("has each message in its place where a branch reaches further back than the page", () => {
    const far = [...chain(10, 11), ...chain(100, 199)];
    const more = withOlder(shown(far, "m100"), shown(chain(50, 99), "m50"));
    expect(ids(more)).toEqual([...chain(10, 11), ...chain(50, 199)].map((one) => one.id));
  });

  it("takes messages whose parents are on other pages for no branches of each other", () => {
    const tree = treeOf([message("x", "gone"), message("y", "gone too"), message("z", "gone too")]);
    const [place] = branchOf(tree, "y");
    expect([place!.index, place!.siblings.map((one) => one.id)]).toEqual([0, ["y", "z"]]);
  });
});
