import { useEffect, useState } from "preact/hooks";

import { get } from "../../api/client";
import type { Durations } from "./estimate";

/** How long earlier runs of this kind took; null while that is not known. Without it there is no estimate, and nothing is said. */
export function useDurations(runId: string, active: boolean): Durations | null {
  const [known, setKnown] = useState<Durations | null>(null);
  useEffect(() => {
    if (!active) return;
    const stop = new AbortController();
    get("/workflow/durations", { query: { workflow_id: runId }, signal: stop.signal }).then(setKnown, () => {});
    return () => stop.abort();
  }, [runId, active]);
  return known;
}
