import { useEffect, useRef } from "preact/hooks";

import { counted } from "../format/counts";
import { messageOf } from "../parts/Failed";
import type { Looked, Older } from "./run-list";

export interface EndingProps {
  count: number;
  next: number | null;
  older: Older;
  looked: Looked | null;
  filtered: boolean;
  onMore: () => void;
}

/** The lower end of the list: older runs are loaded as one comes near; a search that found little asks before it looks on. */
export function Ending({ count, next, older, looked, filtered, onMore }: EndingProps) {
  const near = useRef<HTMLDivElement>(null);
  const more = useRef(onMore);
  more.current = onMore;
  const auto = next !== null && looked === null && older.kind === "idle";
  useEffect(() => {
    if (!auto || !near.current) return;
    const watch = new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) more.current(); }, { rootMargin: "800px" });
    watch.observe(near.current);
    return () => watch.disconnect();
    // Anew with every page: the end may still be near after a short one.
  }, [auto, next]);
  return (
    <div class="runs-ending" ref={near}>
      {older.kind === "failed" ? (
        <>
          <p>Older runs could not be read: {messageOf(older.error)}</p>
          <button type="button" class="button" onClick={onMore}>Try again</button>
        </>
      ) : older.kind === "loading" ? (
        <p role="status">Loading older runs…</p>
      ) : looked !== null ? (
        <>
          <p role="status">{count === 0 ? "Nothing found yet" : `${counted(count, "run", "runs")} found`}: looked at {looked.runs.toLocaleString("en")} runs.</p>
          <button type="button" class="button" onClick={onMore}>Search further</button>
        </>
      ) : next !== null ? (
        <button type="button" class="button plain" onClick={onMore}>Older runs</button>
      ) : count > 20 ? (
        <p>{filtered ? `${counted(count, "run", "runs")} fit the filters.` : `That is all: ${counted(count, "run", "runs")}.`}</p>
      ) : null}
    </div>
  );
}
