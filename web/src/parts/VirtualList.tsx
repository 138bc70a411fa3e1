import type { ComponentChildren, RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

import { EvenHeights, Heights, rangeOf, towards, type Range } from "./heights";
import { kept } from "./kept";
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
/** So many rows ahead of what is seen are drawn in one task. */
const AT_ONCE = 3;
/** What people scroll with, and for how long the scrolling may go on by itself. */
const MEANT = ["wheel", "touchmove", "keydown"] as const;
const RELEASED = ["pointerup", "pointercancel"] as const;
const MEANT_MS = 1000;
const ROW_ROLES = { list: "listitem", tree: "presentation", group: undefined } as const;

/** A list that draws only the rows in view, and the one that has the focus. */
export function VirtualList<T>(props: VirtualListProps<T>) {
  const { items, rowHeight, row, keyOf, overscan = 8, measured = false, scroller = "own", follow = false, role = "list" } = props;
  const box = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState<Range>({ first: 0, end: FIRST_SIGHT });
  const drawnRange = useRef(range);
  drawnRange.current = range;
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

  const around = useRef<HTMLElement | null>(null);
  /** What scrolls. Found once, and again when a size changed: finding it reads many styles. */
  const outer = () => (scroller === "own" ? box.current! : (around.current ??= scrollerOf(box.current!)));
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
  const draw = (next: Range) => setRange((before) => (before.first === next.first && before.end === next.end ? before : next));
  const wanted = (beyond = latest.current.overscan ?? overscan) => {
    const { top, height } = sight();
    return rangeOf(rows.current!, top, height, beyond);
  };
  const look = () => {
    if (box.current) draw(wanted());
  };
  const soon = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  /**
   * Rows that are not seen yet are drawn a few at a time, each in a task of its own: the frame that scrolls has work enough.
   * At once where what is seen is not drawn.
   */
  const lookSoon = () => {
    if (!box.current) return;
    const seen = wanted(0);
    if (seen.first < drawnRange.current.first || seen.end > drawnRange.current.end) return look();
    soon.current ??= setTimeout(() => {
      soon.current = undefined;
      if (box.current) draw(towards(drawnRange.current, wanted(), AT_ONCE));
    });
  };
  const settle = () => {
    const goal = target.current;
    if (!goal) return;
    const { top, height } = sight();
    const from = rows.current!.top(goal.index) + goal.within;
    const high = rows.current!.height(goal.index);
    if (goal.where === "center") scrollTo(Math.max(0, from - (height - high) / 2));
    else if (goal.where === "start" || from < top) scrollTo(from);
    else if (from + high > top + height) scrollTo(from + high - height);
    // Rows that come into view are measured, which may move the target: until nothing changes.
    if ((goal.tries -= 1) <= 0) target.current = null;
  };

  useLayoutEffect(() => {
    const element = outer();
    const listened: EventTarget = element === document.documentElement ? window : element;
    const onScroll = () => {
      const { follow: following = false, onFollow } = latest.current;
      // A box that grew, or rows that are lower than was thought, are scrolled back by the browser, not by who reads.
      const up = element.scrollTop < lastTop.current - 1 && (pressed || performance.now() - meantAt < MEANT_MS);
      lastTop.current = element.scrollTop;
      const atEnd = element.scrollTop + element.clientHeight >= element.scrollHeight - 4;
      if (following && up && !atEnd) onFollow?.(false);
      else if (!following && !up && atEnd && element.scrollHeight > element.clientHeight) onFollow?.(true);
      lookSoon();
    };
    let pressed = false;
    let meantAt = -Infinity;
    const onMeant = () => { meantAt = performance.now(); };
    const onPress = () => { pressed = true; };
    const onRelease = () => {
      if (pressed) onMeant();
      pressed = false;
    };
    let width = box.current!.clientWidth;
    const resized = new ResizeObserver(() => {
      around.current = null;
      if (rows.current instanceof Heights && box.current && box.current.clientWidth !== width) {
        width = box.current.clientWidth;
        const { top } = sight();
        const index = rows.current.at(top);
        target.current = { index, within: top - rows.current.top(index), where: "start", tries: 3 };
        rows.current.reset();
        setTick((before) => before + 1);
      }
      look();
    });
    listened.addEventListener("scroll", onScroll, { passive: true });
    for (const kind of MEANT) listened.addEventListener(kind, onMeant, { passive: true });
    listened.addEventListener("pointerdown", onPress, { passive: true });
    for (const kind of RELEASED) window.addEventListener(kind, onRelease, { passive: true });
    resized.observe(element);
    if (element !== box.current) resized.observe(box.current!);
    return () => {
      clearTimeout(soon.current);
      soon.current = undefined;
      listened.removeEventListener("scroll", onScroll);
      for (const kind of MEANT) listened.removeEventListener(kind, onMeant);
      listened.removeEventListener("pointerdown", onPress);
      for (const kind of RELEASED) window.removeEventListener(kind, onRelease);
      resized.disconnect();
    };
  }, [scroller]);

  useLayoutEffect(() => {
    let changed = false;
    if (places instanceof Heights) {
      const { top } = sight();
      const anchor = places.at(top);
      let above = 0;
      for (const element of rowsOf(box.current!)) {
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
    // All that is drawn is as high as was thought: what was to be shown stands where it should.
    if (!changed) target.current = null;
    lookSoon();
  });
  const [, setTick] = useState(0);

  // Rows that grow by themselves, such as one that is opened, are measured again.
  const grown = useRef<ResizeObserver | null>(null);
  const watched = useRef(new Set<Element>());
  useLayoutEffect(() => {
    if (!measured) return;
    grown.current = new ResizeObserver((all) => {
      const changed = all.some(({ target: row }) => row.isConnected && (row as HTMLElement).offsetHeight !== rows.current!.height(rowOf(row)!));
      if (changed) setTick((before) => before + 1);
    });
    return () => { grown.current!.disconnect(); watched.current.clear(); };
  }, [measured]);
  // Only rows that came are watched anew: each one that is begins with a look at it.
  useLayoutEffect(() => {
    if (!measured) return;
    const before = watched.current;
    const now = new Set<Element>(rowsOf(box.current!));
    for (const row of before) if (!now.has(row)) grown.current!.unobserve(row);
    for (const row of now) if (!before.has(row)) grown.current!.observe(row);
    watched.current = now;
  });

  useLayoutEffect(() => {
    if (!props.control) return;
    const show: VirtualListControl["show"] = (index, where = "nearest") => {
      target.current = { index, within: 0, where, tries: measured ? 3 : 1 };
      settle();
      look();
      setTick((before) => before + 1);
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
          <Placed
            key={keyOf ? keyOf(items[index]!, index) : index} item={items[index]!} index={index} row={row as Draw}
            top={places.top(index)} height={measured ? null : rowHeight} role={ROW_ROLES[role]} count={role === "list" ? items.length : null}
          />
        ))}
      </div>
    </div>
  );
}

type Draw = (item: unknown, index: number) => ComponentChildren;

interface PlacedProps {
  item: unknown;
  index: number;
  row: Draw;
  top: number;
  height: number | null;
  role: "listitem" | "presentation" | undefined;
  /** Of how many it is one, where that is said. */
  count: number | null;
}

/** A row at its place. Scrolling draws only those that come: `row` is the same until what holds the list is drawn again. */
const Placed = kept(function Placed({ item, index, row, top, height, role, count }: PlacedProps) {
  return (
    <div
      class="vlist-row" data-row={index} role={role} style={{ top: `${top}px`, ...(height === null ? {} : { height: `${height}px` }) }}
      {...(count === null ? {} : { "aria-setsize": count, "aria-posinset": index + 1 })}
    >
      {row(item, index)}
    </div>
  );
});

const rowsOf = (box: HTMLElement) => box.querySelectorAll<HTMLElement>(":scope > .vlist-inner > [data-row]");

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
