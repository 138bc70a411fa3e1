// A layered drawing of a graph without cycles, from left to right: layers by the longest path, few crossings by
// barycenters, and places within a layer as near to the neighbours as order and distance allow.

export interface LayoutNode {
  id: string;
  needs: readonly string[];
}

export interface Placed {
  id: string;
  layer: number;
  x: number;
  y: number;
}

export interface Edge {
  from: string;
  to: string;
  /** Points it goes through, from the right side of `from` to the left side of `to`. */
  points: { x: number; y: number }[];
}

export interface Layout {
  nodes: Placed[];
  edges: Edge[];
  width: number;
  height: number;
}

export interface Sizes {
  width: number;
  height: number;
  /** Between layers. */
  across: number;
  /** Between nodes of a layer. */
  down: number;
}

export const SIZES: Sizes = { width: 188, height: 38, across: 64, down: 14 };
/** Bends of long edges beyond this many are left out: such edges go straight. */
const MAX_BENDS = 6000;
const SWEEPS = 6;

interface Point {
  /** Null: the bend of an edge. */
  id: string | null;
  layer: number;
  before: Point[];
  after: Point[];
  place: number;
  y: number;
}

/** Draw the nodes. Needs that are no nodes are left out; needs in a circle, which no run has, too. */
export function layout(nodes: readonly LayoutNode[], sizes: Sizes = SIZES): Layout {
  const layerOf = layers(nodes);
  const points = new Map<string, Point>();
  const columns: Point[][] = [];
  const put = (point: Point) => {
    const column = (columns[point.layer] ??= []);
    point.place = column.length;
    column.push(point);
  };
  const depth = Math.max(-1, ...layerOf.values()) + 1;
  for (let layer = 0; layer < depth; layer += 1) columns[layer] = [];
  for (const node of nodes) {
    const point: Point = { id: node.id, layer: layerOf.get(node.id)!, before: [], after: [], place: 0, y: 0 };
    points.set(node.id, point);
    put(point);
  }
  const paths = connect(nodes, points, put);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) order(columns, sweep % 2 === 0);
  align(columns, sizes);

  const left = (layer: number) => layer * (sizes.width + sizes.across);
  const edges = paths.map(({ from, to, through }) => {
    const path = [{ x: left(from.layer) + sizes.width, y: from.y }];
    for (const bend of through) path.push({ x: left(bend.layer), y: bend.y }, { x: left(bend.layer) + sizes.width, y: bend.y });
    path.push({ x: left(to.layer), y: to.y });
    return { from: from.id!, to: to.id!, points: path };
  });
  const placed = nodes.map(({ id }) => {
    const point = points.get(id)!;
    return { id, layer: point.layer, x: left(point.layer), y: point.y - sizes.height / 2 };
  });
  return {
    nodes: placed,
    edges,
    width: depth === 0 ? 0 : left(depth - 1) + sizes.width,
    height: Math.max(0, ...placed.map((node) => node.y + sizes.height)),
  };
}

/** The layer of each node: one behind the furthest of what it needs. */
export function layers(nodes: readonly LayoutNode[]): Map<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const found = new Map<string, number>();
  for (const { id } of nodes) {
    // No recursion: a chain of thousands is as deep as the stack.
    const path = [id];
    const open = new Set<string>();
    while (path.length > 0) {
      const here = path[path.length - 1]!;
      if (found.has(here)) { path.pop(); continue; }
      open.add(here);
      const needs = byId.get(here)!.needs.filter((need) => byId.has(need));
      const missing = needs.find((need) => !found.has(need) && !open.has(need));
      if (missing !== undefined) { path.push(missing); continue; }
      found.set(here, Math.max(-1, ...needs.map((need) => found.get(need) ?? -1)) + 1);
      open.delete(here);
      path.pop();
    }
  }
  return found;
}

interface Path {
  from: Point;
  to: Point;
  through: Point[];
}

/** Join the points of what needs each other, with a bend in every layer that lies between. */
function connect(nodes: readonly LayoutNode[], points: ReadonlyMap<string, Point>, put: (point: Point) => void): Path[] {
  const paths: Path[] = [];
  let bends = 0;
  for (const node of nodes) {
    const to = points.get(node.id)!;
    for (const need of new Set(node.needs)) {
      const from = points.get(need);
      if (!from || from.layer >= to.layer) continue;
      const through: Point[] = [];
      let last = from;
      if (bends + to.layer - from.layer - 1 <= MAX_BENDS) {
        for (let layer = from.layer + 1; layer < to.layer; layer += 1) {
          const bend: Point = { id: null, layer, before: [last], after: [], place: 0, y: 0 };
          last.after.push(bend);
          through.push(bend);
          put(bend);
          bends += 1;
          last = bend;
        }
      }
      last.after.push(to);
      to.before.push(last);
      paths.push({ from, to, through });
    }
  }
  return paths;
}

/** Put the points of each layer in the order of the middles of their neighbours in the layer before, or after. */
function order(columns: Point[][], forward: boolean): void {
  const sequence = forward ? columns.slice(1) : columns.slice(0, -1).reverse();
  for (const column of sequence) {
    const middles = new Map(column.map((point) => {
      const near = forward ? point.before : point.after;
      const sum = near.reduce((total, one) => total + one.place / Math.max(1, columns[one.layer]!.length - 1), 0);
      return [point, near.length === 0 ? point.place / Math.max(1, column.length - 1) : sum / near.length];
    }));
    // Equal ones keep their order: the drawing of a run that grows changes little.
    column.sort((one, other) => middles.get(one)! - middles.get(other)! || one.place - other.place);
    column.forEach((point, place) => { point.place = place; });
  }
}

/** Give every point a height: as near to its neighbours as the others of its layer let it. */
function align(columns: Point[][], sizes: Sizes): void {
  for (const column of columns) spread(column, column.map((_, at) => at * (sizes.height + sizes.down)), sizes);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const forward = sweep % 2 === 0;
    for (const column of forward ? columns : [...columns].reverse()) {
      spread(column, column.map((point) => {
        const near = forward ? point.before : point.after;
        const both = near.length > 0 ? near : [...point.before, ...point.after];
        return both.length === 0 ? point.y : both.reduce((sum, one) => sum + one.y, 0) / both.length;
      }), sizes);
    }
  }
  let top = Infinity;
  for (const column of columns) for (const point of column) top = Math.min(top, point.y);
  for (const column of columns) for (const point of column) point.y += sizes.height / 2 - top;
}

const room = (point: Point, sizes: Sizes): number => (point.id === null ? 10 : sizes.height);

/** The heights nearest to those wished for, in squares, that keep order and distance (pooling of neighbours that collide). */
function spread(column: Point[], wished: number[], sizes: Sizes): void {
  const offsets: number[] = [];
  column.forEach((point, at) => {
    offsets.push(at === 0 ? 0 : offsets[at - 1]! + (room(column[at - 1]!, sizes) + room(point, sizes)) / 2 + sizes.down);
  });
  const pools: { sum: number; count: number }[] = [];
  column.forEach((_, at) => {
    pools.push({ sum: wished[at]! - offsets[at]!, count: 1 });
    while (pools.length > 1) {
      const last = pools[pools.length - 1]!;
      const before = pools[pools.length - 2]!;
      if (before.sum / before.count <= last.sum / last.count) break;
      before.sum += last.sum;
      before.count += last.count;
      pools.pop();
    }
  });
  let at = 0;
  for (const pool of pools) {
    for (let n = 0; n < pool.count; n += 1, at += 1) column[at]!.y = pool.sum / pool.count + offsets[at]!;
  }
}

/** How often edges cross between neighbouring layers. */
export function crossings({ nodes, edges }: Layout): number {
  const layer = new Map(nodes.map((node) => [node.id, node.layer]));
  let count = 0;
  edges.forEach((one, at) => {
    for (const other of edges.slice(at + 1)) {
      if (layer.get(one.from) !== layer.get(other.from) || layer.get(one.to) !== layer.get(other.to)) continue;
      const start = one.points[0]!.y - other.points[0]!.y;
      const end = one.points[one.points.length - 1]!.y - other.points[other.points.length - 1]!.y;
      if (start * end < 0) count += 1;
    }
  });
  return count;
}

/** An edge as a curve that leaves and arrives level. */
export function curve(points: readonly { x: number; y: number }[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let path = `M${round(first.x)} ${round(first.y)}`;
  let last = first;
  rest.forEach((point) => {
    const middle = (last.x + point.x) / 2;
    path += Math.abs(point.y - last.y) < 0.5 ? `L${round(point.x)} ${round(point.y)}` : `C${round(middle)} ${round(last.y)} ${round(middle)} ${round(point.y)} ${round(point.x)} ${round(point.y)}`;
    last = point;
  });
  return path;
}

const round = (value: number): number => Math.round(value * 10) / 10;
