import { useEffect, useMemo, useState } from "preact/hooks";

import { getTagged } from "../api/client";
import type { RunShown, State, StepState } from "../api/types";
import { pollList } from "../live/list";
import { watchRun } from "../live/watch";

const SETTLE_MS = 300;

export interface HostRun {
  /** The run that is not finished on this host; null when there is none, or nobody knows yet. */
  active: RunShown | null;
  /** The run that is or was shown here, with its steps. */
  state: State | null;
  stepOf: (key: string) => StepState | null;
  refresh: () => void;
  /** Show this run from now on: it was just started. */
  watch: (runId: string) => void;
}

/** What goes on at a host, by its address `user@host:port`; null: no host is named. */
export function useHostRun(address: string | null): HostRun {
  const settled = useSettled(address);
  const runs = useFeed(settled, (host) =>
    pollList((tag, signal) => getTagged("/workflow/runs", tag, { query: { status: ["active"], host, limit: 1 }, signal })),
  );
  const found = settled === address ? (runs?.data.value?.runs[0] ?? null) : null;
  // Kept with the host it is at, so that it is never shown as another's.
  const [watched, setWatched] = useState<{ address: string | null; runId: string } | null>(null);
  useEffect(() => { if (found !== null) setWatched({ address: settled, runId: found.workflow_id }); }, [settled, found?.workflow_id]);
  const feed = useFeed(watched !== null && watched.address === address ? watched.runId : null, watchRun);
  const state = feed?.state.value ?? null;
  const steps = useMemo(() => new Map(state?.steps.map((step) => [step.key, step])), [state]);
  return {
    active: found,
    state,
    stepOf: (key) => steps.get(key) ?? null,
    refresh: () => { void runs?.refresh(); void feed?.refresh(); },
    watch: (runId) => { setWatched({ address, runId }); void runs?.refresh(); },
  };
}

/** The feed of this key; null until it is open. Between another key and the effect that opens its feed there is still the one before. */
function useFeed<T extends { close: () => void }>(key: string | null, open: (key: string) => T): T | null {
  const [opened, setOpened] = useState<{ key: string; feed: T } | null>(null);
  useEffect(() => {
    if (key === null) return setOpened(null);
    const feed = open(key);
    setOpened({ key, feed });
    return () => feed.close();
  }, [key]);
  return opened !== null && opened.key === key ? opened.feed : null;
}

/** The value once it has not changed for a moment: not every key of an address is asked for. */
function useSettled(value: string | null): string | null {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
