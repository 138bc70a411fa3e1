import { StatusMark } from "../../parts/StatusMark";
import { STATUSES } from "../../theme/statuses";
import type { GraphNode } from "./groups";
import { SIZES } from "./layout";
import type { NodeStatus } from "./status";

export interface GraphNodeViewProps {
  node: GraphNode;
  x: number;
  y: number;
  shown: NodeStatus;
  /** The one that Tab leads to. */
  tabbed: boolean;
  /** Needs that are not drawn. */
  more: number;
  /** Null: a group, which opens. */
  href: string | null;
  onOpen: () => void;
  onFocus: () => void;
}

export function GraphNodeView({ node, x, y, shown, tabbed, more, href, onOpen, onFocus }: GraphNodeViewProps) {
  const { status, percent, ended } = shown;
  const style = { transform: `translate(${x}px, ${y}px)`, width: `${SIZES.width}px`, height: `${SIZES.height}px` };
  const count = node.keys.length;
  const label = count === 1 ? `${node.label}, ${STATUSES[status].word}` : `${count} steps ${node.label}, ${ended} ended, ${STATUSES[status].word}`;
  const inside = (
    <>
      <StatusMark status={status} percent={percent} size={16} />
      <span class="truncate">{node.label}</span>
      {count > 1 && <span class="tag">{ended}/{count}</span>}
      {more > 0 && <span class="tag" title={`Needs ${more} more steps, which are not joined here`}>+{more}</span>}
    </>
  );
  const common = { class: `graph-node graph-${status}${count > 1 ? " graph-group" : ""}`, style, tabIndex: tabbed ? 0 : -1, "data-node": node.id, "aria-label": label, title: node.label, onFocus };
  return href === null ? <div role="button" {...common} onClick={onOpen} onKeyDown={(event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); onOpen(); } }}>{inside}</div>
    : <a {...common} href={href} draggable={false}>{inside}</a>;
}
