import { useEffect, useState } from "preact/hooks";

interface Props {
  position: number;
  title: string;
  go: () => void;
}

/** A button that is there while the step in hand is out of sight. */
export function ToStepInHand({ position, title, go }: Props) {
  const [where, setWhere] = useState<"above" | "below" | null>(null);
  useEffect(() => {
    let frame = 0;
    const look = () => { frame = 0; setWhere(whereIs(position)); };
    const ask = () => { frame ||= requestAnimationFrame(look); };
    ask();
    addEventListener("scroll", ask, { passive: true });
    addEventListener("resize", ask, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", ask);
      removeEventListener("resize", ask);
    };
  }, [position]);
  return (
    <div class="to-step-in-hand" aria-live="off">
      {where !== null && (
        <button type="button" class="button" onClick={go}>
          <span aria-hidden="true">{where === "above" ? "↑" : "↓"}</span> Step {position + 1}: <span class="truncate">{title}</span> <kbd aria-hidden="true">c</kbd>
        </button>
      )}
    </div>
  );
}

/** Where a step's row is, seen from the window; null when it is in sight, or nothing of the list is. */
function whereIs(position: number): "above" | "below" | null {
  const list = document.querySelector<HTMLElement>(".run-list");
  const row = list?.querySelector(`[data-step="${position}"]`);
  const first = row ?? list?.querySelector("[data-step]");
  if (!list || !first || list.offsetParent === null) return null;
  if (!row) return position < Number(first.getAttribute("data-step")) ? "above" : "below";
  const { top, bottom } = row.getBoundingClientRect();
  return bottom < 60 ? "above" : top > innerHeight - 24 ? "below" : null;
}
