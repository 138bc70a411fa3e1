import { describe, expect, it } from "vitest";

import { isBranching } from "../../src/run/graph/branching";
import { grouped, single, type GraphStep } from "../../src/run/graph/groups";
import { crossings, curve, layers, layout, SIZES, type LayoutNode } from "../../src/run/graph/layout";
import { neighbour } from "../../src/run/graph/neighbour";

const node = (id: string, ...needs: string[]): LayoutNode => ({ id, needs });

function randomGraph(seed: number, count: number): LayoutNode[] {
  let state = seed * 7919 + 1;
  const next = (below: number) => { state = (state * 1103515245 + 12345) % 2147483648; return state % below; };
  return Array.from({ length: count }, (_, at) => {
    const needs = at === 0 ? [] : Array.from({ length: next(4) }, () => `n${next(at)}`);
    return { id: `n${at}`, needs };
  });
}

describe("layers", () => {
  it("are one behind the furthest need", () => {
    expect([...layers([node("a"), node("b", "a"), node("c", "a", "b"), node("d")])]).toEqual([["a", 0], ["b", 1], ["c", 2], ["d", 0]]);
  });

  it("bear chains of ten thousand, unknown needs and circles", () => {
    const chain = Array.from({ length: 10_000 }, (_, at) => node(`n${at}`, ...(at > 0 ? [`n${at - 1}`] : [])));
    expect(layers([...chain].reverse()).get("n9999")).toBe(9999);
    expect(layers([node("a", "nowhere")]).get("a")).toBe(0);
    expect(layers([node("a", "b"), node("b", "a")]).size).toBe(2);
  });
});

describe("a layout", () => {
  it("puts what is needed to the left and lets no two nodes overlap", () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      const nodes = randomGraph(seed, 60);
      const drawn = layout(nodes);
      const byId = new Map(drawn.nodes.map((one) => [one.id, one]));
      expect(drawn.nodes).toHaveLength(nodes.length);
      for (const one of nodes) for (const need of one.needs) expect(byId.get(need)!.x).toBeLessThan(byId.get(one.id)!.x);
      for (const one of drawn.nodes) {
        expect(one.y).toBeGreaterThanOrEqual(-0.001);
        expect(one.y + SIZES.height).toBeLessThanOrEqual(drawn.height + 0.001);
        for (const other of drawn.nodes) {
          if (one !== other && one.layer === other.layer) expect(Math.abs(one.y - other.y)).toBeGreaterThanOrEqual(SIZES.height + SIZES.down - 0.001);
        }
      }
    }
  });

  it("joins each edge from right side to left side", () => {
    const drawn = layout([node("a"), node("b", "a"), node("c", "a", "b")]);
    expect(drawn.edges.map((edge) => [edge.from, edge.to])).toEqual([["a", "b"], ["a", "c"], ["b", "c"]]);
    const [a, , c] = drawn.nodes;
    const long = drawn.edges[1]!;
    expect(long.points[0]).toEqual({ x: a!.x + SIZES.width, y: a!.y + SIZES.height / 2 });
    expect(long.points[long.points.length - 1]).toEqual({ x: c!.x, y: c!.y + SIZES.height / 2 });
    expect(long.points).toHaveLength(4);
  });

  it("untangles what was given in the wrong order", () => {
    const drawn = layout([node("a"), node("b"), node("c"), node("z", "c"), node("y", "b"), node("x", "a")]);
    expect(crossings(drawn)).toBe(0);
  });

  it("draws a straight line straight", () => {
    const drawn = layout([node("a"), node("b", "a"), node("c", "b")]);
    expect(new Set(drawn.nodes.map((one) => one.y)).size).toBe(1);
    expect(curve(drawn.edges[0]!.points)).not.toContain("C");
  });

  it("draws a thousand nodes within two seconds", () => {
    const started = performance.now();
    const drawn = layout(randomGraph(5, 1000));
    expect(drawn.nodes).toHaveLength(1000);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it("is empty without nodes", () => {
    expect(layout([])).toEqual({ nodes: [], edges: [], width: 0, height: 0 });
  });
});

describe("grouping", () => {
  const fan: GraphStep[] = [
    { key: "plan", label: "Plan", action: "plan", needs: [], needs_total: 0 },
    ...Array.from({ length: 6 }, (_, at) => ({ key: `s${at}`, label: `Scan ${at}`, action: "scan", needs: ["plan"], needs_total: 1 })),
    { key: "join", label: "Join", action: "join", needs: Array.from({ length: 6 }, (_, at) => `s${at}`), needs_total: 6 },
  ];

  it("shows steps that need the same and are needed by the same as one", () => {
    const nodes = grouped(fan, new Set());
    expect(nodes.map((one) => [one.id, one.label, one.keys.length, one.needs])).toEqual([
      ["plan", "Plan", 1, []], ["group s0", "Scan", 6, ["plan"]], ["join", "Join", 1, ["group s0"]],
    ]);
  });

  it("keeps alike steps together where a step does not name all that it needs", () => {
    const clipped = fan.map((one) => (one.key === "join" ? { ...one, needs: one.needs.slice(0, 2) } : one));
    expect(grouped(clipped, new Set()).map((one) => one.keys.length)).toEqual([1, 6, 1]);
  });

  it("opens a group", () => {
    expect(grouped(fan, new Set(["group s0"]))).toEqual(single(fan));
  });

  it("holds every step once, and only needs that are nodes", () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const steps = randomGraph(seed, 80).map((one) => ({ key: one.id, label: one.id, action: "x", needs: [...new Set(one.needs)], needs_total: new Set(one.needs).size }));
      const nodes = grouped(steps, new Set());
      expect(nodes.flatMap((one) => one.keys).sort()).toEqual(steps.map((one) => one.key).sort());
      const ids = new Set(nodes.map((one) => one.id));
      for (const one of nodes) for (const need of one.needs) expect(ids.has(need)).toBe(true);
    }
  });
});

describe("a run", () => {
  const step = (index: number, key: string, needs: string[], needs_total = needs.length) => ({ index, key, needs, needs_total });
  it("branches when a step needs something else than the one before", () => {
    expect(isBranching([step(0, "a", []), step(1, "b", ["a"]), step(2, "c", ["b"])])).toBe(false);
    expect(isBranching([step(0, "a", []), step(1, "b", ["a"]), step(2, "c", ["a"])])).toBe(true);
    expect(isBranching([step(0, "a", []), step(1, "b", [])])).toBe(true);
    expect(isBranching([step(50, "x", ["w"]), step(51, "y", ["x"])])).toBe(false);
    expect(isBranching([])).toBe(false);
  });
});

describe("arrow keys", () => {
  it("follow edges sideways and the layer up and down", () => {
    const drawn = layout([node("a"), node("b", "a"), node("c", "a")]);
    const [upper, lower] = drawn.nodes.filter((one) => one.layer === 1).sort((one, other) => one.y - other.y);
    expect(neighbour(drawn, upper!.id, "down")).toBe(lower!.id);
    expect(neighbour(drawn, lower!.id, "up")).toBe(upper!.id);
    expect(neighbour(drawn, "b", "left")).toBe("a");
    expect(["b", "c"]).toContain(neighbour(drawn, "a", "right"));
    expect(neighbour(drawn, "b", "right")).toBeNull();
  });
});
