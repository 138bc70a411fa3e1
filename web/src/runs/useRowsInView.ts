import { useEffect, useLayoutEffect, useState } from "preact/hooks";

import { rowsInView, type Span } from "./window";

export interface InView {
  span: Span;
  /** The first row is above the upper edge of what can be seen. */
  scrolled: boolean;
}

const STEP = 8;

/** Which rows of the list in `root` are near the view. `head` stays at the top while the window scrolls. */
export function useRowsInView(root: { current: HTMLElement | null }, head: { current: HTMLElement | null }, rowHeight: number, count: number): InView {
  const [view, setView] = useState<InView>({ span: { first: 0, end: 48 }, scrolled: false });
  const look = () => {
    if (!root.current) return;
    const top = root.current.getBoundingClientRect().top;
    const edge = head.current?.getBoundingClientRect().bottom ?? 0;
    const { first, end } = rowsInView(top, innerHeight, rowHeight, count);
    // In steps, so that scrolling by a few rows draws nothing.
    const span = { first: Math.floor(first / STEP) * STEP, end: Math.min(count, Math.ceil(end / STEP) * STEP) };
    const scrolled = top < edge - rowHeight / 2;
    setView((old) => (old.scrolled === scrolled && old.span.first === span.first && old.span.end === span.end ? old : { span, scrolled }));
  };
  useLayoutEffect(look, [rowHeight, count]);
  useEffect(() => {
    let frame = 0;
    const soon = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(look);
    };
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
    };
  }, [rowHeight, count]);
  return view;
}
