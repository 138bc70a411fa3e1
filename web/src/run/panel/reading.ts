// One step with all that is kept of it, read again whenever the run says that the step changed.
import { effect } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

import { get, Problem, sessionEnded } from "../../api/client";
import type { StepState, WholeStep } from "../../api/types";
import { backoffMs } from "../../live/backoff";
import type { RunFeed } from "../../live/feed";
import { onWake, seen } from "../../live/waking";

export interface StepReading {
  /** The step as the run's feed has it: newest, but shortened; null for one outside of a long run's window. */
  live: StepState | null;
  /** All of it, as it was last read. */
  whole: WholeStep | null;
  /** Why the last read failed; it is repeated. What was read before stays beside it. */
  problem: unknown;
  retry: () => void;
}

/** What of a step makes its whole worth reading again. */
export function stepMark(step: StepState): string {
  return [step.status, step.ready, step.waiting_for, step.attempt, step.failures, step.end_time].join(" ");
}

const QUIET_MS = 1000;
/** What was asked for before the page slept may hang until its time is over. */
const HUNG_MS = 2000;

/** A whole step, or why it could not be read. */
export type Read = { whole: WholeStep } | { problem: unknown };

/** Read a step now and whenever it changes, one read at a time, until the function that is returned is called. */
export function followStep(feed: RunFeed, key: string, tell: (read: Read) => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let current: { abort: AbortController; since: number } | null = null;
  /** What is shown is not what there is now. */
  let wanted = false;
  let earliest = 0;
  let failures = 0;

  const plan = (at: number) => {
    wanted = true;
    clearTimeout(timer);
    timer = setTimeout(() => void read(), Math.max(0, at - Date.now()));
  };
  const read = async () => {
    // Nobody looks, or may: there is time for it when somebody does. One at a time: no answer overtakes another.
    if (current !== null || !seen() || sessionEnded.peek()) return;
    const mine = (current = { abort: new AbortController(), since: Date.now() });
    wanted = false;
    earliest = mine.since + QUIET_MS;
    let found: Read;
    try {
      const answer = await get("/workflow/steps", { query: { workflow_id: feed.runId, step: key }, signal: mine.abort.signal });
      if (mine !== current) return;
      if (!("step" in answer)) throw new Error("a step was asked for, and a list came");
      failures = 0;
      found = { whole: answer.step };
    } catch (problem) {
      if (mine !== current) return;
      earliest = Date.now() + Math.max(backoffMs(++failures), problem instanceof Problem ? (problem.retryAfterS ?? 0) * 1000 : 0);
      wanted = true;
      found = { problem };
    }
    current = null;
    if (wanted) plan(earliest);
    tell(found);
  };

  const asleep = onWake(() => {
    if (current === null ? !wanted : Date.now() - current.since <= HUNG_MS) return;
    current?.abort.abort();
    current = null;
    plan(0);
  });
  let mark: string | null = null;
  const unwatch = effect(() => {
    const state = feed.state.value;
    const step = state?.steps.find((one) => one.key === key);
    // A step outside of the window is read again with every change of the run.
    const now = step ? stepMark(step) : `${state?.version}`;
    if (now === mark) return;
    mark = now;
    plan(earliest);
  });
  return () => {
    clearTimeout(timer);
    unwatch();
    asleep();
    current?.abort.abort();
    current = null;
  };
}

interface Kept {
  feed: RunFeed;
  key: string;
  whole: WholeStep | null;
  problem: unknown;
}

export function useStep(feed: RunFeed, key: string): StepReading {
  const [kept, setKept] = useState<Kept | null>(null);
  const [tries, setTries] = useState(0);
  const live = feed.state.value?.steps.find((step) => step.key === key) ?? null;

  useEffect(() => followStep(feed, key, (read) => setKept((before) => {
    const whole = before?.feed === feed && before.key === key ? before.whole : null;
    return { feed, key, whole, problem: null, ...read };
  })), [feed, key, tries]);

  const mine = kept?.feed === feed && kept.key === key ? kept : null;
  return { live, whole: mine?.whole ?? null, problem: mine?.problem ?? null, retry: () => setTries(tries + 1) };
}
