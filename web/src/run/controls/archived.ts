// Whether a run is archived: no part of its state, for it changes nothing of the run, but of its summary.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { get, sessionEnded } from "../../api/client";
import { onWake, seen } from "../../live/waking";

const known = signal<ReadonlyMap<string, boolean>>(new Map());

/** What the server last said; null while it is not known. A run that goes on is not archived. */
export const isArchived = (runId: string, active: boolean): boolean | null => (active ? false : (known.value.get(runId) ?? null));

/** Ask the server whether a run that has ended is archived. Where no answer comes it stays as it was known. */
export async function readArchived(runId: string, stopped?: AbortSignal): Promise<void> {
  if (!seen() || sessionEnded.peek()) return;
  try {
    const { summary } = await get("/workflow/state/summary", { query: { workflow_id: runId }, ...(stopped ? { signal: stopped } : {}) });
    if ("archived" in summary && summary.archived !== known.peek().get(runId)) known.value = new Map([...known.peek(), [runId, summary.archived]]);
  } catch {
    // Asked again when somebody comes back to the page.
  }
}

/** The same for a page of the run: asked when it ends, and whenever somebody comes back to the page, for others may archive it. */
export function useArchived(runId: string, active: boolean): boolean | null {
  useEffect(() => {
    if (active) {
      // A retry took it out of the archive: what was known is not true when it ends again.
      known.value = new Map([...known.peek()].filter(([id]) => id !== runId));
      return;
    }
    const stopped = new AbortController();
    const read = () => void readArchived(runId, stopped.signal);
    read();
    const asleep = onWake(read);
    return () => { stopped.abort(); asleep(); };
  }, [runId, active]);
  return isArchived(runId, active);
}
