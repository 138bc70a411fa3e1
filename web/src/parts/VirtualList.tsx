import type { ComponentChildren, RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

import { EvenHeights, Heights, rangeOf, type Range } from "./heights";
import "./virtual-list.css";

export interface VirtualListControl {
  /** Bring a row into view; `nearest` moves only if it has to. */
  show(index: number, where?: "start" | "center" | "nearest"): void;
  /** Bring a row into view and give it the focus: its first element that can have it. */
  focus(index: number): void;
  /** The first row that is seen. */
  first(): number;
}

export interface VirtualListProps<T> {
  items: readonly T[];
  /** Pixels; with `measured` only what is assumed of rows that were not seen yet. */
  rowHeight: number;
  row: (item: T, index: number) => ComponentChildren;
  keyOf?: (item: T, index: number) => string | number;
  overscan?: number;
  /** Rows may be of any height. */
  measured?: boolean;
  /** `own`: the list scrolls within its box. `outer`: it is as high as its rows, and what it stands in scrolls. */
  scroller?: "own" | "outer";
  /** Stay at the end while rows come. `onFollow(false)`: the reader scrolled away; `onFollow(true)`: and back to the end. */
  follow?: boolean;
  onFollow?: (following: boolean) => void;
  control?: RefObject<VirtualListControl | null>;
  label?: string;
  class?: string;
  /** The least width of what scrolls sideways, as CSS. */
  width?: string;
  role?: "list" | "tree" | "group";
  /** The list itself can have the focus, to be scrolled by keys. */
  focusable?: boolean;
}

const FIRST_SIGHT = 40;
const ROW_ROLES = { list: "listitem", tree: "presentation", group: undefined } as const;

/** A list that draws only the rows in view, and the one that has the focus. */
export function VirtualList<T>(props: VirtualListProps<T>) {
  const { items, rowHeight, row, keyOf, overscan = 8, measured = false, scroller = "own", follow = false, role = "list" } = props;
  const box = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState<Range>({ first: 0, end: FIRST_SIGHT });
  const [focused, setFocused] = useState<number | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const rows = useRef<Heights | EvenHeights | null>(null);
  if (rows.current === null || measured !== rows.current instanceof Heights) {
    rows.current = measured ? new Heights(rowHeight) : new EvenHeights(rowHeight);
  }
  const places = rows.current;
  places.resize(items.length);
  const target = useRef<{ index: number; within: number; where: "start" | "center" | "nearest"; tries: number } | null>(null);
  const lastTop = useRef(0);

  const outer = () => (scroller === "own" ? box.current! : scrollerOf(box.current!));
  /** How far the list is scrolled, and how much of it is seen. */
  const sight = () => {
    const element = outer();
    if (scroller === "own") return { top: element.scrollTop, height: element.clientHeight };
    const seen = element === document.documentElement ? 0 : element.getBoundingClientRect().top;
    return { top: seen - box.current!.getBoundingClientRect().top, height: element.clientHeight };
  };
  const scrollTo = (top: number) => {
    outer().scrollTop += top - sight().top;
    lastTop.current = outer().scrollTop;
  };
  const look = () => {
    if (!box.current) return;
    const { top, height } = sight();
    const next = rangeOf(rows.current!, top, height, latest.current.overscan ?? overscan);
    setRange((before) => (before.first === next.first && before.end === next.end ? before : next));
  };
  const settle = () => {
    const wanted = target.current;
    if (!wanted) return;
    const { top, height } = sight();
    const from = rows.current!.top(wanted.index) + wanted.within;
    const high = rows.current!.height(wanted.index);
    if (wanted.where === "center") scrollTo(Math.max(0, from - (height - high) / 2));
    else if (wanted.where === "start" || from < top) scrollTo(from);
    else if (from + high > top + height) scrollTo(from + high - height);
    // Rows that come into view are measured, which may move the target: until nothing changes.
    if ((wanted.tries -= 1) <= 0) target.current = null;
  };

  useLayoutEffect(() => {
    const element = outer();
    const listened: EventTarget = element === document.documentElement ? window : element;
    const onScroll = () => {
      const { follow: following = false, onFollow } = latest.current;
      const up = element.scrollTop < lastTop.current - 1;
      lastTop.current = element.scrollTop;
      const atEnd = element.scrollTop + element.clientHeight >= element.scrollHeight - 4;
      if (following && up && !atEnd) onFollow?.(false);
      else if (!following && !up && atEnd && element.scrollHeight > element.clientHeight) onFollow?.(true);
      look();
    };
    let width = box.current!.clientWidth;
    const resized = new ResizeObserver(() => {
      if (rows.current instanceof Heights && box.current && box.current.clientWidth !== width) {
        width = box.current.clientWidth;
        const { top } = sight();
        const index = rows.current.at(top);
        target.current = { index, within: top - rows.current.top(index), where: "start", tries: 3 };
        rows.current.reset();
      }
      look();
    });
    listened.addEventListener("scroll", onScroll, { passive: true });
    resized.observe(element);
    if (element !== box.current) resized.observe(box.current!);
    return () => { listened.removeEventListener("scroll", onScroll); resized.disconnect(); };
  }, [scroller]);

  useLayoutEffect(() => {
    if (places instanceof Heights) {
      const { top } = sight();
      const anchor = places.at(top);
      let above = 0;
      let changed = false;
      for (const element of box.current!.querySelectorAll<HTMLElement>(":scope > .vlist-inner > [data-row]")) {
        const index = Number(element.dataset["row"]);
        if (index >= places.count) continue;
        const change = places.set(index, element.offsetHeight);
        if (change !== 0) changed = true;
        if (index < anchor) above += change;
      }
      // What is being read stays where it is when a row above it turns out to be of another height.
      if (above !== 0 && !target.current && !follow) outer().scrollTop += above;
      if (changed) setTick((before) => before + 1);
    }
    if (follow) {
      const element = outer();
      element.scrollTop = element.scrollHeight;
      lastTop.current = element.scrollTop;
    }
    settle();
    look();
  });
  const [, setTick] = useState(0);

  // Rows that grow by themselves, such as one that is opened, are measured again.
  useLayoutEffect(() => {
    if (!measured) return;
    const watch = new ResizeObserver(() => setTick((before) => before + 1));
    for (const element of box.current!.querySelectorAll(":scope > .vlist-inner > [data-row]")) watch.observe(element);
    return () => watch.disconnect();
  }, [measured, range.first, range.end]);

  useLayoutEffect(() => {
    if (!props.control) return;
    const show: VirtualListControl["show"] = (index, where = "nearest") => {
      target.current = { index, within: 0, where, tries: measured ? 3 : 1 };
      settle();
      look();
    };
    props.control.current = {
      show,
      first: () => rows.current!.at(Math.max(0, sight().top)),
      focus(index) {
        setFocused(index);
        show(index);
        requestAnimationFrame(() => {
          const element = box.current?.querySelector<HTMLElement>(`:scope > .vlist-inner > [data-row="${index}"]`);
          (element?.querySelector<HTMLElement>("a, button, [tabindex]") ?? element)?.focus({ preventScroll: true });
        });
      },
    };
  }, [props.control, measured]);

  const drawn: number[] = [];
  const end = Math.min(range.end, items.length);
  for (let index = range.first; index < end; index += 1) drawn.push(index);
  if (focused !== null && focused < items.length && (focused < range.first || focused >= end)) drawn.push(focused);

  return (
    <div
      ref={box} class={`vlist vlist-${scroller} ${props.class ?? ""}`} role={role} aria-label={props.label}
      tabIndex={props.focusable ? 0 : undefined}
      onFocusIn={(event) => setFocused(rowOf(event.target))}
      onFocusOut={(event) => setFocused(rowOf(event.relatedTarget))}
    >
      <div class="vlist-inner" role="presentation" style={{ height: `${places.top(items.length)}px`, minWidth: props.width ?? "" }}>
        {drawn.map((index) => (
          <div
            key={keyOf ? keyOf(items[index]!, index) : index} class="vlist-row" data-row={index} role={ROW_ROLES[role]}
            style={{ transform: `translateY(${places.top(index)}px)`, ...(measured ? {} : { height: `${rowHeight}px` }) }}
            {...(role === "list" ? { "aria-setsize": items.length, "aria-posinset": index + 1 } : {})}
          >
            {row(items[index]!, index)}
          </div>
        ))}
      </div>
    </div>
  );
}

function rowOf(target: EventTarget | null): number | null {
  const element = (target as Element | null)?.closest?.<HTMLElement>("[data-row]");
  return element ? Number(element.dataset["row"]) : null;
}

/** What scrolls a list that does not by itself. */
function scrollerOf(element: HTMLElement): HTMLElement {
  for (let at = element.parentElement; at && at !== document.body; at = at.parentElement) {
    if (/auto|scroll/.test(getComputedStyle(at).overflowY)) return at;
  }
  return document.documentElement;
}
