import type { Layout } from "./layout";

/** Where an arrow key leads: along an edge to the nearest, or to the next one in the layer. Null: nowhere. */
export function neighbour(drawing: Layout, from: string, way: "left" | "right" | "up" | "down"): string | null {
  const here = drawing.nodes.find((node) => node.id === from);
  if (!here) return drawing.nodes[0]?.id ?? null;
  const byId = new Map(drawing.nodes.map((node) => [node.id, node]));
  let found;
  if (way === "right") found = drawing.edges.filter((edge) => edge.from === from).map((edge) => byId.get(edge.to)!);
  else if (way === "left") found = drawing.edges.filter((edge) => edge.to === from).map((edge) => byId.get(edge.from)!);
  else found = drawing.nodes.filter((node) => node.layer === here.layer && (way === "up" ? node.y < here.y : node.y > here.y));
  found.sort((one, other) => Math.abs(one.y - here.y) - Math.abs(other.y - here.y) || Math.abs(one.x - here.x) - Math.abs(other.x - here.x));
  return found[0]?.id ?? null;
}
