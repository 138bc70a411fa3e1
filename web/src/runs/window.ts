// Which rows of a long list are drawn: those in view and some around them.
export interface Span {
  first: number;
  /** Behind the last. */
  end: number;
}

/** `top` is where the list begins, in pixels below the upper edge of the view (negative once it is scrolled). */
export function rowsInView(top: number, viewHeight: number, rowHeight: number, count: number, around = 12): Span {
  const first = Math.floor(-top / rowHeight) - around;
  const end = Math.ceil((viewHeight - top) / rowHeight) + around;
  return { first: Math.min(Math.max(0, first), Math.max(0, count - 1)), end: Math.max(0, Math.min(count, end)) };
}
