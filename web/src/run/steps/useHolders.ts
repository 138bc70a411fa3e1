import { useComputed } from "@preact/signals";
import { useEffect } from "preact/hooks";

import type { RunFeed } from "../../live/feed";
import { seen } from "../../live/waking";

const EVERY_MS = 5000;

/** Who holds a lock changes without an event of the run that waits for it: while it waits the state is asked for again. */
export function useHolders(feed: RunFeed): void {
  const waits = useComputed(() => feed.state.value?.steps.some((step) => step.waiting_for === "lock") ?? false);
  const is = waits.value;
  useEffect(() => {
    if (!is) return;
    const timer = setInterval(() => { if (seen()) void feed.refresh(); }, EVERY_MS);
    return () => clearInterval(timer);
  }, [feed, is]);
}
