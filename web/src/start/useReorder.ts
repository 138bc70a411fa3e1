import { useEffect, useRef, useState } from "preact/hooks";

import { placeAt, type RowPlace } from "./reorder";

export interface Reorder {
  /** The item that is being dragged. */
  dragged: string | null;
  /** For the handle of an item. */
  handle: (id: string) => { onPointerDown: (event: PointerEvent) => void; onKeyDown: (event: KeyboardEvent) => void };
}

/** Move the items of a list by dragging a handle, with the mouse or a finger, or by its arrow keys. `focus` brings the handle of a row into view that may not be drawn. */
export function useReorder(
  ids: readonly string[], rows: () => RowPlace[], move: (from: number, to: number) => void, say: (text: string) => void, focus?: (index: number) => void,
): Reorder {
  const [drag, setDrag] = useState<{ id: string; pointer: number } | null>(null);
  // What the listeners below read is of the latest drawing.
  const now = useRef({ ids, rows, move });
  now.current = { ids, rows, move };

  useEffect(() => {
    if (drag === null) return;
    const onMove = (event: PointerEvent) => {
      if (event.pointerId !== drag.pointer) return;
      const { ids, rows, move } = now.current;
      const from = ids.indexOf(drag.id);
      const to = placeAt(event.clientY, rows(), from);
      if (from >= 0 && to !== from) move(from, to);
    };
    const onEnd = (event: PointerEvent) => { if (event.pointerId === drag.pointer) setDrag(null); };
    // On the window: the handle itself is put elsewhere in the document while it is dragged, and would lose its events.
    addEventListener("pointermove", onMove);
    addEventListener("pointerup", onEnd);
    addEventListener("pointercancel", onEnd);
    return () => {
      removeEventListener("pointermove", onMove);
      removeEventListener("pointerup", onEnd);
      removeEventListener("pointercancel", onEnd);
    };
  }, [drag]);

  const handle = (id: string) => ({
    onPointerDown(event: PointerEvent) {
      if (event.button === 0) setDrag({ id, pointer: event.pointerId });
    },
    onKeyDown(event: KeyboardEvent) {
      const from = ids.indexOf(id);
      const to = { ArrowUp: from - 1, ArrowDown: from + 1, Home: 0, End: ids.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      if (to === from || to < 0 || to >= ids.length) return;
      const button = event.currentTarget as HTMLElement;
      move(from, to);
      say(`Step ${to + 1} of ${ids.length}`);
      // The row is put elsewhere in the document, which takes the focus.
      requestAnimationFrame(() => (focus ? focus(to) : button.focus()));
    },
  });
  return { dragged: drag?.id ?? null, handle };
}
