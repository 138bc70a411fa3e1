import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import "./menu.css";

export interface MenuItem {
  label: string;
  act: () => void;
  /** Its key, shown beside it. */
  keys?: string;
  /** Why it cannot be done now; shown, and the item is off. */
  reason?: string | null;
  danger?: boolean;
}

/** A button that opens a list of commands. Arrows move, Enter does, Escape closes. */
export function Menu({ label, items, children, className = "button" }: { label: string; items: MenuItem[]; children?: ComponentChildren; className?: string }) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    if (!open) return;
    root.current?.querySelector<HTMLElement>('[role="menuitem"]')?.focus();
    const away = (event: Event) => { if (!root.current?.contains(event.target as Node)) setOpen(false); };
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [open]);
  const close = () => { setOpen(false); root.current?.querySelector<HTMLElement>("button")?.focus(); };
  const move = (by: number) => {
    const all = [...(root.current?.querySelectorAll<HTMLElement>('[role="menuitem"]') ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    all[(at + by + all.length) % all.length]?.focus();
  };
  return (
    <div
      class="menu" ref={root}
      onKeyDown={(event) => {
        if (!open) return;
        const act = { Escape: close, ArrowDown: () => move(1), ArrowUp: () => move(-1), Tab: () => setOpen(false) }[event.key];
        if (!act) return;
        event.stopPropagation();
        if (event.key !== "Tab") event.preventDefault();
        act();
      }}
    >
      <button type="button" class={className} aria-haspopup="menu" aria-expanded={open} aria-controls={id} aria-label={children ? label : undefined} onClick={() => setOpen(!open)}>
        {children ?? label}
      </button>
      {open && (
        <div class="menu-list" role="menu" id={id} aria-label={label}>
          {items.map((item) => (
            <button
              key={item.label} type="button" role="menuitem" class={`menu-item${item.danger ? " danger" : ""}`} tabIndex={-1}
              aria-disabled={item.reason ? true : undefined}
              onClick={() => { if (item.reason) return; close(); item.act(); }}
            >
              <span>{item.label}{item.reason && <span class="menu-reason">{item.reason}</span>}</span>
              {item.keys && <kbd>{item.keys}</kbd>}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
