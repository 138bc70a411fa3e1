import { describe, expect, it } from "vitest";

import { branchOf, leafBelow, treeOf } from "../../src/chat/tree";
import { message } from "./made";

const ids = (places: { message: { id: string } }[]) => places.map((place) => place.message.id);

// q1 ─ a1 ─ q2 ─ a2
//    └ a1'          (written again)
// q1' ─ a3          (edited)
const all = [
  message("q1", null, "user"), message("a1", "q1"), message("q2", "a1", "user"), message("a2", "q2"), message("a1'", "q1"),
  message("q1'", null, "user"), message("a3", "q1'"),
];

describe("a conversation as a tree", () => {
  it("shows the branch through a message, to its newest end", () => {
    const tree = treeOf(all);
    expect(ids(branchOf(tree, "a1"))).toEqual(["q1", "a1", "q2", "a2"]);
    expect(ids(branchOf(tree, "a1'"))).toEqual(["q1", "a1'"]);
    expect(ids(branchOf(tree, "q1"))).toEqual(["q1", "a1'"]);
  });

  it("shows the newest branch where none is known", () => {
    expect(ids(branchOf(treeOf(all), null))).toEqual(["q1'", "a3"]);
    expect(ids(branchOf(treeOf(all), "gone"))).toEqual(["q1'", "a3"]);
    expect(branchOf(treeOf([]), null)).toEqual([]);
  });

  it("says which of how many each message is", () => {
    const [first, answer] = branchOf(treeOf(all), "a2");
    expect([first!.index, first!.siblings.length]).toEqual([0, 2]);
    expect([answer!.index, answer!.siblings.length]).toEqual([0, 2]);
    expect(leafBelow(treeOf(all), first!.siblings[1]!.id)).toBe("a3");
    expect(leafBelow(treeOf(all), "a1")).toBe("a2");
  });

  it("takes the answers of a battle for one", () => {
    const fought = [message("q", null, "user"), message("x", "q", "assistant", { battle: "b" }), message("y", "q", "assistant", { battle: "b" }), message("z", "q"), message("q2", "y", "user")];
    const places = branchOf(treeOf(fought), "q2");
    expect(ids(places)).toEqual(["q", "y", "q2"]);
    expect(places[1]!.battle.map((one) => one.id)).toEqual(["x", "y"]);
    expect([places[1]!.index, places[1]!.siblings.map((one) => one.id)]).toEqual([0, ["x", "z"]]);
    expect(ids(branchOf(treeOf(fought.slice(0, 3)), null))).toEqual(["q", "x"]);
  });

  it("begins with the oldest message it was given, and ends with a circle", () => {
    expect(ids(branchOf(treeOf(all.slice(2, 4)), "a2"))).toEqual(["q2", "a2"]);
    expect(ids(branchOf(treeOf([message("a", "b"), message("b", "a")]), "a"))).toEqual(["b", "a"]);
  });
});
