// Parts of a run's state, so that what is drawn again is only what changed.
import { type ReadonlySignal, useComputed } from "@preact/signals";
import { useRef } from "preact/hooks";

import type { State } from "../api/types";
import type { RunFeed } from "../live/feed";
import { sameButProgress } from "../live/outline";

/** What `pick` finds in the state of a run that is shown: who reads it is drawn again only when it is another one. */
export function usePart<T>(feed: RunFeed, pick: (state: State) => T): ReadonlySignal<T> {
  return useComputed(() => pick(feed.state.value!));
}

/** The state of a run that is shown, as it was when last anything but progress changed: how far its steps are may be old. */
export function useOutline(feed: RunFeed): ReadonlySignal<State> {
  const last = useRef<State | null>(null);
  return useComputed(() => {
    const state = feed.state.value!;
    if (last.current === null || !sameButProgress(last.current, state)) last.current = state;
    return last.current;
  });
}
