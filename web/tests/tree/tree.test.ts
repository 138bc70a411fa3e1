import { describe, expect, it } from "vitest";

import type { Json } from "../../src/api/types";
import { matching, pathTo, preview, rowCount, treeRows } from "../../src/parts/tree-rows";

const value: Json = { host: "a", disks: [{ name: "sda", size: 3 }, { name: "sdb", size: null }], "odd key": true, none: {} };
const all = () => true;

describe("rows of a tree", () => {
  it("are the children of the root, in order, with what is open below them", () => {
    const rows = treeRows(value, (path) => path === "$.disks");
    expect(rows.map((row) => [row.depth, row.name, row.kind, row.open])).toEqual([
      [0, "host", "text", false], [0, "disks", "list", true], [1, "0", "object", false], [1, "1", "object", false],
      [0, "odd key", "boolean", false], [0, "none", "object", false],
    ]);
  });

  it("have paths that say where they stand", () => {
    expect(treeRows(value, all).map((row) => row.path)).toEqual([
      "$.host", "$.disks", "$.disks[0]", "$.disks[0].name", "$.disks[0].size", "$.disks[1]", "$.disks[1].name", "$.disks[1].size", '$["odd key"]', "$.none",
    ]);
    expect(pathTo("$", 'a"b')).toBe('$["a\\"b"]');
  });

  it("are one for a plain value", () => {
    expect(treeRows("x", all)).toMatchObject([{ path: "$", name: null, kind: "text", value: "x" }]);
  });

  it("are counted up to a bound", () => {
    expect(rowCount(value, 100)).toBe(10);
    expect(rowCount(Array.from({ length: 500 }, () => 1), 100)).toBe(100);
  });

  it("say in one line what is closed", () => {
    const [, disks, , , , none] = treeRows(value, (path) => path === "$.disks");
    expect(preview(disks!)).toBe("[2 values]");
    expect(preview(none!)).toBe("empty");
    expect(preview(treeRows({ a: value }, () => false)[0]!)).toBe("{host, disks, odd key, none}");
  });
});

describe("searching a tree", () => {
  it("finds names and values, and what leads to them", () => {
    const { hits, around } = matching(value, "SD");
    expect([...hits]).toEqual(["$.disks[0].name", "$.disks[1].name"]);
    expect([...around]).toEqual(["$.disks", "$.disks[0]", "$.disks[1]"]);
    expect(matching(value, "disks").hits).toEqual(new Set(["$.disks"]));
  });
});
