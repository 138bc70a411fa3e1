import { useEffect, useState } from "preact/hooks";

import type { RunFeed } from "../../live/feed";
import { now } from "../../now";
import { type Arrival, JUST_STARTED_MS } from "./sentences";

const SAID_MS = 12_000;

/** How the page came to what it shows, for a while: the run has just begun, or was found again after a load or a loss. */
export function useArrival(feed: RunFeed): Arrival {
  const first = feed.state.peek();
  const [arrival, setArrival] = useState<Arrival>(() => (first && isYoung(first.start_time) ? "started" : "reconnected"));
  const kind = feed.connection.value.kind;
  const [wasAway, setWasAway] = useState(false);
  useEffect(() => {
    if (kind === "offline") setWasAway(true);
    else if (kind !== "connecting" && wasAway) {
      setWasAway(false);
      setArrival("reconnected");
    }
  }, [kind]);
  useEffect(() => {
    if (arrival === null) return;
    const timer = setTimeout(() => setArrival(null), SAID_MS);
    return () => clearTimeout(timer);
  }, [arrival]);
  return arrival;
}

const isYoung = (start: string): boolean => now.peek() - Date.parse(start) < JUST_STARTED_MS;
