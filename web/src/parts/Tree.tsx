import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import type { Json } from "../api/types";
import { Copy } from "./Copy";
import { matching, preview, rowCount, treeRows, type TreeRow } from "./tree-rows";
import { VirtualList, type VirtualListControl } from "./VirtualList";
import "./tree.css";

const SEARCH_FROM = 25;
const VIRTUAL_FROM = 150;
const LONG_TEXT = 300;

export interface TreeProps {
  value: Json;
  /** What it is, for screen readers. */
  label: string;
  /** Its heading, on one line with its tools. */
  title?: string;
  /** What is said when there is nothing in it. */
  empty?: string;
}

/** A JSON value as a tree that can be opened, searched, copied from, and seen as the JSON that it is. */
export function Tree({ value, label, title, empty = "Nothing here." }: TreeProps) {
  const [toggled, setToggled] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [whole, setWhole] = useState<ReadonlySet<string>>(new Set());
  const [needle, setNeedle] = useState("");
  const [asJson, setAsJson] = useState(false);
  const [at, setAt] = useState(0);
  const control = useRef<VirtualListControl | null>(null);
  const box = useRef<HTMLDivElement>(null);

  const size = useMemo(() => rowCount(value, 5000), [value]);
  const found = useMemo(() => (needle.trim() === "" ? null : matching(value, needle.trim())), [value, needle]);
  const rows = useMemo(() => {
    // A small value is open from the start; of a large one the upper rows.
    const openTo = size <= 60 ? 8 : size <= 300 ? 1 : 0;
    const all = treeRows(value, (path, depth, held) => {
      if (found?.around.has(path)) return toggled.get(path) ?? true;
      return toggled.get(path) ?? (depth < openTo && held <= 50);
    });
    if (!found) return all;
    // Below something that was found all is shown, so that it can be opened; beside it only what leads to a hit.
    const under = (path: string) => [...found.hits].some((hit) => path.startsWith(hit) && path !== hit);
    return all.filter((row) => found.hits.has(row.path) || found.around.has(row.path) || (found.hits.size <= 200 && under(row.path)));
  }, [value, toggled, found, size]);

  const virtual = rows.length > VIRTUAL_FROM;
  const here = Math.min(at, rows.length - 1);
  const focus = (index: number) => {
    if (index < 0 || index >= rows.length) return;
    setAt(index);
    if (virtual) control.current?.focus(index);
    else box.current?.querySelectorAll<HTMLElement>(".tree-row")[index]?.focus();
  };
  // A tree that becomes long is drawn another way: who was in it stays where they were.
  const within = useRef(false);
  useLayoutEffect(() => {
    if (within.current) focus(here);
  }, [virtual]);
  const toggle = (row: TreeRow, open = !row.open) => setToggled((before) => new Map(before).set(row.path, open));
  const onKeyDown = (event: KeyboardEvent) => {
    const row = rows[here];
    if (!row || !(event.target as Element).classList.contains("tree-row") || event.ctrlKey || event.metaKey || event.altKey) return;
    const acts: Record<string, () => void> = {
      ArrowDown: () => focus(here + 1),
      ArrowUp: () => focus(here - 1),
      Home: () => focus(0),
      End: () => focus(rows.length - 1),
      ArrowRight: () => (row.size > 0 && !row.open ? toggle(row, true) : focus(here + 1)),
      ArrowLeft: () => {
        if (row.open) toggle(row, false);
        else for (let above = here - 1; above >= 0; above -= 1) if (rows[above]!.depth < row.depth) return focus(above);
      },
      Enter: () => { if (row.size > 0) toggle(row); },
      " ": () => { if (row.size > 0) toggle(row); },
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };

  if (value === null || (typeof value === "object" && Object.keys(value).length === 0)) return <div class="tree">{title && <h3>{title}</h3>}<p class="muted small">{empty}</p></div>;
  const draw = (row: TreeRow, index: number) => (
    <Row
      row={row} focused={index === here} hit={found?.hits.has(row.path) ?? false} whole={whole.has(row.path)}
      onToggle={() => { setAt(index); toggle(row); }} onFocus={() => setAt(index)}
      onWhole={() => setWhole((before) => { const next = new Set(before); if (!next.delete(row.path)) next.add(row.path); return next; })}
    />
  );
  return (
    <div
      class="tree" ref={box}
      onFocusIn={(event) => { within.current = (event.target as Element).classList.contains("tree-row"); }}
      // Nothing is said of where the focus went when what had it was taken away.
      onFocusOut={(event) => { if (event.relatedTarget !== null) within.current = false; }}
    >
      <div class="tree-bar">
        {title && <h3>{title}</h3>}
        {size >= SEARCH_FROM && !asJson && (
          <input type="search" class="tree-search" placeholder="Search" aria-label={`Search in ${label}`} value={needle} onInput={(event) => setNeedle(event.currentTarget.value)} />
        )}
        {found && !asJson && <span class="muted small" role="status">{found.hits.size === 0 ? "nothing found" : `${found.hits.size} found`}</span>}
        <span class="tree-tools">
          <button type="button" class="button plain" aria-pressed={asJson} onClick={() => setAsJson(!asJson)}>JSON</button>
          <Copy text={() => JSON.stringify(value, null, 2)} label="Copy" />
        </span>
      </div>
      {asJson ? <RawJson value={value} /> : virtual ? (
        <div onKeyDown={onKeyDown}>
          <VirtualList class="tree-list tree-scroll" role="tree" label={label} items={rows} rowHeight={24} measured control={control} keyOf={(row) => row.path} row={draw} />
        </div>
      ) : (
        <div class="tree-list" role="tree" aria-label={label} onKeyDown={onKeyDown}>
          {rows.map((row, index) => <div key={row.path} role="presentation">{draw(row, index)}</div>)}
        </div>
      )}
    </div>
  );
}

interface RowProps {
  row: TreeRow;
  focused: boolean;
  hit: boolean;
  whole: boolean;
  onToggle: () => void;
  onFocus: () => void;
  onWhole: () => void;
}

function Row({ row, focused, hit, whole, onToggle, onFocus, onWhole }: RowProps) {
  const holds = row.size > 0;
  return (
    <div
      class={`tree-row${hit ? " tree-hit" : ""}${holds ? " tree-holds" : ""}`} role="treeitem" aria-level={row.depth + 1} aria-expanded={holds ? row.open : undefined}
      tabIndex={focused ? 0 : -1} onFocus={onFocus} style={{ paddingLeft: `${row.depth * 16 + 4}px` }} title={row.path}
      onClick={holds ? onToggle : undefined}
    >
      <span class="tree-twist" aria-hidden="true">{holds ? (row.open ? "▾" : "▸") : ""}</span>
      {row.name !== null && <span class="tree-name">{row.name}<span class="tree-colon">:</span></span>}
      <Value row={row} whole={whole} onWhole={onWhole} />
      <span class="tree-copies" onClick={(event) => event.stopPropagation()}>
        <Copy text={() => (typeof row.value === "string" ? row.value : JSON.stringify(row.value, null, 2))} label="Copy" className="tree-copy" />
        <Copy text={() => row.path} label="Path" className="tree-copy" />
      </span>
    </div>
  );
}

function Value({ row, whole, onWhole }: { row: TreeRow; whole: boolean; onWhole: () => void }) {
  if (row.kind === "object" || row.kind === "list") return <span class="tree-preview">{row.open ? (row.kind === "list" ? `${row.size}` : "") : preview(row)}</span>;
  if (row.kind !== "text") return <span class={`tree-${row.kind}`}>{String(row.value)}</span>;
  const text = row.value as string;
  if (text === "") return <span class="tree-null">empty text</span>;
  const long = text.length > LONG_TEXT;
  return (
    <span class="tree-text">
      {long && !whole ? `${text.slice(0, LONG_TEXT)}…` : text}
      {long && (
        <button type="button" class="tree-more" onClick={(event) => { event.stopPropagation(); onWhole(); }}>
          {whole ? "show less" : `show all ${text.length.toLocaleString()} characters`}
        </button>
      )}
    </span>
  );
}

const MAX_RAW = 200_000;

/** The JSON as it is, cut where a browser would choke on it; copying gives all of it. */
export function RawJson({ value }: { value: Json }) {
  const text = useMemo(() => JSON.stringify(value, null, 2), [value]);
  return (
    <>
      <pre class="tree-raw" tabIndex={0}>{text.length > MAX_RAW ? text.slice(0, MAX_RAW) : text}</pre>
      {text.length > MAX_RAW && <p class="muted small">Cut after {MAX_RAW.toLocaleString()} of {text.length.toLocaleString()} characters; copying gives all of it.</p>}
    </>
  );
}
