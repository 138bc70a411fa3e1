// Dragging, pinching and the wheel, as moves and zooms.

export interface Gestures {
  /** By so many pixels, in the direction of the pointer. */
  pan: (dx: number, dy: number) => void;
  /** Over 1: nearer. Around a place of the window. */
  zoom: (factor: number, clientX: number, clientY: number) => void;
}

const DRAG_FROM = 4;

/** `x`: up and down is left to the browser, which scrolls. Returns what ends it. */
export function watchGestures(element: HTMLElement, axis: "x" | "both", { pan, zoom }: Gestures): () => void {
  const pointers = new Map<number, { x: number; y: number }>();
  let moved = 0;
  let dragging = false;

  const onWheel = (event: WheelEvent) => {
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : event.deltaMode === WheelEvent.DOM_DELTA_PAGE ? 400 : 1;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY * unit)) / 120), event.clientX, event.clientY);
      return;
    }
    const sideways = event.shiftKey && event.deltaX === 0;
    const dx = (sideways ? event.deltaY : event.deltaX) * unit;
    const dy = (sideways ? 0 : event.deltaY) * unit;
    if (axis === "x" && Math.abs(dx) <= Math.abs(dy)) return;
    event.preventDefault();
    pan(-dx, axis === "x" ? 0 : -dy);
  };
  const onDown = (event: PointerEvent) => {
    if (event.button !== 0 || (event.target as Element).closest("button, select, input")) return;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.size === 1) { moved = 0; dragging = false; }
  };
  const onMove = (event: PointerEvent) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const dx = event.clientX - before.x;
    const dy = event.clientY - before.y;
    if (!dragging) {
      moved = Math.hypot(dx, dy);
      if (moved < DRAG_FROM && pointers.size === 1) return;
      dragging = true;
      // Only now: a pointer that is held sends its click to us, and a click is for the link below it.
      element.setPointerCapture(event.pointerId);
    }
    if (pointers.size === 1) {
      pan(dx, axis === "x" ? 0 : dy);
    } else if (pointers.size === 2) {
      const other = [...pointers].find(([id]) => id !== event.pointerId)![1];
      const reach = (x: number, y: number) => Math.max(24, axis === "x" ? Math.abs(x - other.x) : Math.hypot(x - other.x, y - other.y));
      zoom(reach(event.clientX, event.clientY) / reach(before.x, before.y), (event.clientX + other.x) / 2, (event.clientY + other.y) / 2);
      pan(dx / 2, axis === "x" ? 0 : dy / 2);
    }
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  };
  const onUp = (event: PointerEvent) => { pointers.delete(event.pointerId); };
  const onClick = (event: MouseEvent) => {
    if (!dragging) return;
    dragging = false;
    event.preventDefault();
    event.stopPropagation();
  };
  const onDragStart = (event: DragEvent) => event.preventDefault();

  element.addEventListener("wheel", onWheel, { passive: false });
  element.addEventListener("pointerdown", onDown);
  element.addEventListener("pointermove", onMove);
  element.addEventListener("pointerup", onUp);
  element.addEventListener("pointercancel", onUp);
  element.addEventListener("click", onClick, { capture: true });
  element.addEventListener("dragstart", onDragStart);
  return () => {
    element.removeEventListener("wheel", onWheel);
    element.removeEventListener("pointerdown", onDown);
    element.removeEventListener("pointermove", onMove);
    element.removeEventListener("pointerup", onUp);
    element.removeEventListener("pointercancel", onUp);
    element.removeEventListener("click", onClick, { capture: true });
    element.removeEventListener("dragstart", onDragStart);
  };
}
