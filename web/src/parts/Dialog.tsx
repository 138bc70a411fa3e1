import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

import { typedIn } from "./typed";
import "./dialog.css";

/**
 * A dialog above the page. Escape closes it, and a press beside it where nothing typed would be lost; the focus goes back to
 * where it was.
 */
export function Dialog({ title, close, children, wide = false }: { title: string; close: () => void; children: ComponentChildren; wide?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [typed] = useState(typedIn);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    ref.current?.showModal();
    return () => before?.focus?.();
  }, []);
  return (
    <dialog
      ref={ref} class={`dialog${wide ? " dialog-wide" : ""}`} aria-labelledby={id}
      onCancel={(event) => { event.preventDefault(); close(); }}
      onInput={(event) => typed.note(event.target as Element)}
      onMouseDown={(event) => { if (event.target === event.currentTarget && !typed.isIn(event.currentTarget)) close(); }}
    >
      <div class="dialog-inner">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}
