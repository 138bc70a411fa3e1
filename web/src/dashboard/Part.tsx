import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

import { Boundary } from "../parts/Boundary";

/** One part of the dashboard, which fails by itself. */
export function Part({ title, note, children }: { title: string; note?: ComponentChildren; children: ComponentChildren }) {
  const id = useId();
  return (
    <section class="dash-part" aria-labelledby={id}>
      <div class="dash-head"><h2 id={id}>{title}</h2>{note !== undefined && <p class="muted small">{note}</p>}</div>
      <Boundary what={title}>{children}</Boundary>
    </section>
  );
}

/** What is said where there is nothing to show. */
export const Nothing = ({ children }: { children: ComponentChildren }) => <p class="card dash-nothing">{children}</p>;
