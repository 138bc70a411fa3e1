import { useEffect, useRef } from "preact/hooks";

import { bindKeys } from "../keys";
import { go, paths } from "../router";
import { rowHeight } from "./row-height";

const linkOf = (id: string): HTMLElement | null => document.querySelector(`.run-row[data-run="${CSS.escape(id)}"] .run-row-link`);

/** `j` and `k` move through the rows, `x` selects, Enter opens. The row that is meant has the focus. */
export function useRowKeys({ order, select }: { order: readonly string[]; select: (id: string) => void }): void {
  const active = useRef<string | null>(null);
  const current = useRef({ order, select });
  current.current = { order, select };
  useEffect(() => {
    const here = (): number => {
      const focused = document.activeElement?.closest<HTMLElement>(".run-row")?.dataset["run"];
      return current.current.order.indexOf(focused ?? active.current ?? "");
    };
    const to = (index: number) => {
      const ids = current.current.order;
      const id = ids[Math.min(ids.length - 1, Math.max(0, index))];
      if (id === undefined) return;
      active.current = id;
      bringIntoView(ids.indexOf(id));
      // A row that was out of view is drawn with the next frames.
      const focus = (tries: number) => {
        const link = linkOf(id);
        if (link) link.focus({ preventScroll: true });
        else if (tries > 0 && active.current === id) requestAnimationFrame(() => focus(tries - 1));
      };
      focus(10);
    };
    const move = (by: number) => {
      const at = here();
      to(at < 0 ? (by > 0 ? firstInView() : 0) : at + by);
    };
    return bindKeys([
      { keys: "j", label: "Next run", group: "List", act: () => move(1) },
      { keys: "k", label: "Previous run", group: "List", act: () => move(-1) },
      { keys: "ArrowDown", label: "Next run", group: "List", act: () => move(1) },
      { keys: "ArrowUp", label: "Previous run", group: "List", act: () => move(-1) },
      { keys: "Enter", label: "Open the run", group: "List", act: () => { const id = current.current.order[here()]; if (id !== undefined) go(paths.run(id)); } },
      { keys: "x", label: "Select the run", group: "List", act: () => { const id = current.current.order[here()]; if (id !== undefined) current.current.select(id); } },
    ]);
  }, []);
}

const body = (): HTMLElement | null => document.querySelector(".run-rows-body");
const upperEdge = (): number => document.querySelector(".run-rows-head")?.getBoundingClientRect().bottom ?? 0;

function firstInView(): number {
  const top = body()?.getBoundingClientRect().top ?? 0;
  return Math.max(0, Math.ceil((upperEdge() - top) / rowHeight.peek()));
}

/** Scroll by as little as makes the row seen whole. */
function bringIntoView(index: number): void {
  const top = (body()?.getBoundingClientRect().top ?? 0) + index * rowHeight.peek();
  const above = top - upperEdge();
  const below = top + rowHeight.peek() - (innerHeight - 80);
  if (above < 0) scrollBy({ top: index === 0 ? -scrollY : above });
  else if (below > 0) scrollBy({ top: below });
}
