// One step with all that is kept of it, read again whenever the run says that the step changed.
import { effect } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

import { get } from "../../api/client";
import type { StepState, WholeStep } from "../../api/types";
import type { RunFeed } from "../../live/feed";

export interface StepReading {
  /** The step as the run's feed has it: newest, but shortened; null for one outside of a long run's window. */
  live: StepState | null;
  /** All of it, as it was last read. */
  whole: WholeStep | null;
  /** Why the last read failed. */
  problem: unknown;
  retry: () => void;
}

/** What of a step makes its whole worth reading again. */
export function stepMark(step: StepState): string {
  return [step.status, step.ready, step.waiting_for, step.attempt, step.failures, step.end_time].join(" ");
}

const QUIET_MS = 1000;

export function useStep(feed: RunFeed, key: string): StepReading {
  const [whole, setWhole] = useState<WholeStep | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [tries, setTries] = useState(0);
  const live = feed.state.value?.steps.find((step) => step.key === key) ?? null;

  useEffect(() => {
    const stopped = new AbortController();
    let timer = 0;
    let mark: string | null = null;
    let last = 0;
    const read = async () => {
      last = Date.now();
      try {
        const answer = await get("/workflow/steps", { query: { workflow_id: feed.runId, step: key }, signal: stopped.signal });
        if (!("step" in answer)) return;
        setWhole(answer.step);
        setProblem(null);
      } catch (error) {
        if (!stopped.signal.aborted) setProblem(error);
      }
    };
    const unwatch = effect(() => {
      const state = feed.state.value;
      const step = state?.steps.find((one) => one.key === key);
      // A step outside of the window is read again with every change of the run.
      const now = step ? stepMark(step) : `${state?.version}`;
      if (now === mark) return;
      mark = now;
      clearTimeout(timer);
      timer = window.setTimeout(() => void read(), Math.max(0, last + QUIET_MS - Date.now()));
    });
    return () => { stopped.abort(); clearTimeout(timer); unwatch(); };
  }, [feed, key, tries]);

  const mine = whole?.key === key ? whole : null;
  return { live, whole: mine, problem, retry: () => setTries(tries + 1) };
}
