import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { counted, countedOf } from "../../format/counts";
import { bindKeys } from "../../keys";
import type { RunFeed } from "../../live/feed";
import { Failed } from "../../parts/Failed";
import { paths } from "../../router";
import { watchGestures } from "../timeline/gestures";
import { useAllSteps } from "../timeline/steps";
import { grouped, single, type GraphNode } from "./groups";
import { layout, SIZES } from "./layout";
import { neighbour } from "./neighbour";
import { GraphEdges } from "./GraphEdges";
import { GraphNodeView } from "./GraphNodeView";
import { statusOf } from "./status";
import { around, fitted, shownPart, zoomedAt, type Camera } from "./camera";
import "./graph.css";

const GROUP_FROM = 300;
const MOST = 1000;
const ZOOM = 1.3;

/** The steps of a run and what each needs. */
export default function Graph({ feed }: { feed: RunFeed }) {
  const { steps, complete, problem } = useAllSteps(feed);
  const total = feed.state.value?.total_steps ?? 0;
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  // What the layout depends on changes rarely; statuses change all the time.
  const shape = steps.map((step) => `${step.key}<${step.needs.join(",")}`).join(";");
  const nodes = useMemo(() => (steps.length > GROUP_FROM || steps.some((step) => step.needs_total > step.needs.length) ? grouped(steps, opened) : single(steps)), [shape, opened]);
  const tooMany = nodes.length > MOST;
  const drawing = useMemo(() => layout(tooMany ? [] : nodes), [nodes, tooMany]);
  const places = useMemo(() => new Map(drawing.nodes.map((node) => [node.id, node])), [drawing]);
  const byId = useMemo(() => new Map(nodes.map((node) => [node.id, node])), [nodes]);
  const byKey = useMemo(() => new Map(steps.map((step) => [step.key, step])), [steps]);

  const frame = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 800, height: 480 });
  const [camera, setCamera] = useState<Camera | null>(null);
  const [at, setAt] = useState<string | null>(null);
  const inHand = nodes.find((node) => node.keys.some((key) => byKey.get(key)?.status === "in_progress"))?.id ?? null;
  const start = useMemo(() => fitted(drawing, size, places.get(inHand ?? "") ?? null), [drawing, size.width, size.height]);
  const seen = camera ?? start;
  const latest = useRef(seen);
  latest.current = seen;

  const ready = drawing.nodes.length > 0;
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const resized = new ResizeObserver(() => setSize({ width: element.clientWidth, height: element.clientHeight }));
    resized.observe(element);
    const unwatch = watchGestures(element, "both", {
      pan: (dx, dy) => setCamera(() => ({ ...latest.current, x: latest.current.x + dx, y: latest.current.y + dy })),
      zoom: (factor, clientX, clientY) => {
        const box = element.getBoundingClientRect();
        setCamera(() => zoomedAt(latest.current, factor, clientX - box.left, clientY - box.top));
      },
    });
    return () => { resized.disconnect(); unwatch(); };
  }, [ready]);
  const zoomBy = (factor: number) => setCamera(zoomedAt(latest.current, factor, (frame.current?.clientWidth ?? 0) / 2, (frame.current?.clientHeight ?? 0) / 2));
  useEffect(() => bindKeys([
    { keys: "+", label: "Zoom in", group: "Run", act: () => zoomBy(ZOOM) },
    { keys: "-", label: "Zoom out", group: "Run", act: () => zoomBy(1 / ZOOM) },
    { keys: "0", label: "Show all of the graph", group: "Run", act: () => setCamera(null) },
  ]), []);

  if (steps.length === 0) {
    if (problem !== null) return <Failed error={problem} />;
    return complete ? <p class="empty">This run has no steps.</p> : <div class="graph graph-loading" role="status" aria-label="Loading the graph"><span class="skeleton" /></div>;
  }
  if (tooMany) {
    return <p class="empty">This run has {total.toLocaleString()} steps: too many to be drawn as a graph. <a class="link" href={paths.run(feed.runId, "timeline")}>See its timeline</a></p>;
  }

  const focus = (id: string) => {
    const place = places.get(id);
    if (!place) return;
    // Where it is out of sight it is drawn all the same, and comes into sight as it gets the focus.
    setAt(id);
    requestAnimationFrame(() => frame.current?.querySelector<HTMLElement>(`[data-node="${CSS.escape(id)}"]`)?.focus({ preventScroll: true }));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const way = ({ ArrowRight: "right", ArrowLeft: "left", ArrowUp: "up", ArrowDown: "down" } as const)[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const next = neighbour(drawing, at ?? drawing.nodes[0]!.id, way);
    if (next !== null) focus(next);
  };
  const part = shownPart(seen, size, 240);
  const inSight = (id: string) => {
    const place = places.get(id)!;
    return id === at || (place.x + SIZES.width >= part.left && place.x <= part.right && place.y + SIZES.height >= part.top && place.y <= part.bottom);
  };
  const tabbed = at !== null && places.has(at) ? at : inHand ?? drawing.nodes[0]!.id;
  const collapsed = nodes.filter((node) => node.keys.length > 1).length;

  return (
    <section class="graph" aria-label="Graph of the steps">
      <div class="graph-bar">
        <span class="muted small" role="status">
          {complete ? counted(steps.length, "step") : `${countedOf(steps.length, total, "step")}, reading…`}
          {collapsed > 0 && `, those alike shown as one (${collapsed})`}
        </span>
        <span class="graph-tools">
          {opened.size > 0 && <button type="button" class="button plain" onClick={() => setOpened(new Set())}>Close groups</button>}
          <button type="button" class="button icon plain" aria-label="Zoom out" title="Zoom out (-)" onClick={() => zoomBy(1 / ZOOM)}>−</button>
          <button type="button" class="button icon plain" aria-label="Zoom in" title="Zoom in (+), or Ctrl and the wheel" onClick={() => zoomBy(ZOOM)}>+</button>
          <button type="button" class="button plain" title="Show all of it (0)" disabled={camera === null} onClick={() => setCamera(null)}>Fit</button>
        </span>
      </div>
      <div class="graph-frame" ref={frame} onKeyDown={onKeyDown}>
        <div class="graph-plane" style={{ transform: `translate(${seen.x}px, ${seen.y}px) scale(${seen.scale})` }}>
          <GraphEdges drawing={drawing} part={part} lit={at} doneOf={(id) => statusOf(byId.get(id)!, byKey).status === "completed"} />
          {nodes.map((node) => {
            if (!inSight(node.id)) return null;
            const place = places.get(node.id)!;
            return (
              <GraphNodeView
                key={node.id} node={node} x={place.x} y={place.y} shown={statusOf(node, byKey)} tabbed={node.id === tabbed} more={missingNeeds(node, byId, byKey)}
                href={node.keys.length === 1 ? paths.step(feed.runId, node.keys[0]!) : null}
                onOpen={() => setOpened((before) => new Set(before).add(node.id))}
                onFocus={() => { setAt(node.id); if (!isInside(latest.current, place, size)) setCamera(around(latest.current, place, size)); }}
              />
            );
          })}
        </div>
      </div>
    </section>
  );
}

/** How many needs of a step no line leads from: the server names the first twenty. */
function missingNeeds(node: GraphNode, byId: ReadonlyMap<string, GraphNode>, byKey: ReadonlyMap<string, { needs_total: number }>): number {
  const step = node.keys.length === 1 ? byKey.get(node.keys[0]!) : undefined;
  const joined = node.needs.reduce((sum, id) => sum + (byId.get(id)?.keys.length ?? 0), 0);
  return step ? Math.max(0, step.needs_total - joined) : 0;
}

function isInside(camera: Camera, place: { x: number; y: number }, size: { width: number; height: number }): boolean {
  const part = shownPart(camera, size, 0);
  return place.x >= part.left && place.x + SIZES.width <= part.right && place.y >= part.top && place.y + SIZES.height <= part.bottom;
}
