import { useLayoutEffect, useRef, useState } from "preact/hooks";

import { duration } from "../../format/durations";
import type { AttemptLine, WaitLine } from "../panel/attempts";
import { endOf, startOf } from "./rows";

export interface Pointed {
  step: string;
  line: AttemptLine | WaitLine;
  /** Where in the window. */
  x: number;
  y: number;
}

/** The exact values of what is pointed at. It says nothing that the row does not say to screen readers. */
export function Tip({ pointed, now, origin }: { pointed: Pointed; now: number; origin: number }) {
  const { step, line, x, y } = pointed;
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 260, height: 90 });
  useLayoutEffect(() => {
    const found = box.current;
    if (found && (found.offsetWidth !== size.width || found.offsetHeight !== size.height)) setSize({ width: found.offsetWidth, height: found.offsetHeight });
  });
  const left = Math.max(8, Math.min(x + 8, window.innerWidth - size.width - 8));
  // Above what is pointed at where there is no room below.
  const top = y + 6 + size.height > window.innerHeight ? y - size.height - 38 : y + 6;
  const from = startOf(line);
  const to = endOf(line);
  return (
    <div class="timeline-tip" ref={box} aria-hidden="true" style={{ left: `${left}px`, top: `${top}px` }}>
      <strong class="truncate">{step}</strong>
      <span>{line.kind === "wait" ? line.words : `attempt ${line.attempt} · ${line.words}`} · {duration((to ?? now) - from)}</span>
      <span class="muted">{exact(from)} – {to === null ? "now" : exact(to)}</span>
      <span class="muted">+{duration(Math.max(0, from - origin))} after the start</span>
      {line.kind === "wait" && line.until !== null && <span class="muted">until {exact(line.until)}{line.until > now && ` · ${duration(line.until - now)} left`}</span>}
      {line.kind === "wait" && line.why !== null && <span class="timeline-tip-why">{line.why}</span>}
      {line.kind === "attempt" && line.worker && <span class="muted mono truncate">{line.worker}</span>}
      {line.kind === "attempt" && line.error && <span class="timeline-tip-error">{line.error.message}</span>}
    </div>
  );
}

const EXACT = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
const exact = (at: number): string => EXACT.format(at);
