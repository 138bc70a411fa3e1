import { useMemo } from "preact/hooks";

import { curve, type Layout } from "./layout";

interface GraphEdgesProps {
  drawing: Layout;
  part: { left: number; right: number; top: number; bottom: number };
  /** The node whose edges are brought forward. */
  lit: string | null;
  doneOf: (id: string) => boolean;
}

/** What needs what, as curves. */
export function GraphEdges({ drawing, part, lit, doneOf }: GraphEdgesProps) {
  const curves = useMemo(() => drawing.edges.map((edge) => ({
    edge,
    path: curve(edge.points),
    left: edge.points[0]!.x,
    right: edge.points[edge.points.length - 1]!.x,
    top: Math.min(...edge.points.map((point) => point.y)),
    bottom: Math.max(...edge.points.map((point) => point.y)),
  })), [drawing]);
  const done = new Map<string, boolean>();
  const isDone = (id: string) => {
    if (!done.has(id)) done.set(id, doneOf(id));
    return done.get(id)!;
  };
  return (
    <svg class="graph-edges" width={Math.max(1, drawing.width)} height={Math.max(1, drawing.height)} aria-hidden="true">
      {curves.map(({ edge, path, left, right, top, bottom }) => {
        if (right < part.left || left > part.right || bottom < part.top || top > part.bottom) return null;
        const near = edge.from === lit || edge.to === lit;
        return <path key={`${edge.from} ${edge.to}`} d={path} class={`graph-edge${isDone(edge.from) ? " graph-edge-done" : ""}${near ? " graph-edge-near" : ""}`} />;
      })}
    </svg>
  );
}
