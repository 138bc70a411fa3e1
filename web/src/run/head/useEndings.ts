import { effect, untracked } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";

import type { State } from "../../api/types";
import { notifyWhenHidden } from "../../frame/notify";
import type { RunFeed } from "../../live/feed";
import { say } from "../../parts/notices";
import { paths } from "../../router";
import { announcement } from "./sentences";

/** Says that the run ended, where the head that shows it is not in sight: below it, behind an opened step, in another tab. */
export function useEndings(feed: RunFeed, head: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    let before: State | null = null;
    return effect(() => {
      const was = before;
      const state = feed.state.value;
      before = state;
      if (was && state && was.status !== state.status) untracked(() => tell(was, state));
    });
    function tell(was: State, state: State): void {
      const said = announcement(was, state);
      if (!said) return;
      notifyWhenHidden(state.name, said, paths.run(feed.runId));
      const shown = head.current;
      const inSight = shown !== null && shown.offsetParent !== null && shown.getBoundingClientRect().bottom > 0;
      if (!inSight || state.status === "cancelled") say(said);
    }
  }, [feed]);
}
