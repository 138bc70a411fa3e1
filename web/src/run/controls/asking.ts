// Controls on their way: what was asked for, what was sent and has no answer yet, and what the server said to it.
import { signal } from "@preact/signals";

import { Problem, Unreachable } from "../../api/client";
import { messageOf } from "../../parts/Failed";
import type { RunFeed } from "../../live/feed";
import { BegunOtherwise, once, Unanswered } from "./newRuns";
import type { Control } from "./possible";

/** A control that somebody is asked about, in a dialog. */
export interface Asked {
  control: Control;
  /** The key of the step that is meant; null: the run. */
  step: string | null;
}

const sending = signal<ReadonlySet<string>>(new Set());

const nameOf = (runId: string, { control, step }: Asked): string => `${runId} ${control} ${step ?? ""}`;

/** Whether it was sent and has no answer yet. */
export const isSending = (runId: string, asked: Asked): boolean => sending.value.has(nameOf(runId, asked));

export interface Failure {
  problem: string;
  /** The place in the body that is meant. */
  where: string | null;
  /** The run that was made in its place. */
  runId: string | null;
}
export type Sent<T> = { answer: T } | Failure;

/**
 * Send a control. It counts as sent until the answer is there and the state after it is shown; nothing is assumed before.
 * `verb` for the message of a failure: `Failed to stop: ...`.
 */
export async function send<T>(feed: RunFeed, asked: Asked, verb: string, act: () => Promise<T>): Promise<Sent<T>> {
  const name = nameOf(feed.runId, asked);
  sending.value = new Set([...sending.peek(), name]);
  try {
    return await sent(verb, act, () => feed.refresh());
  } finally {
    sending.value = new Set([...sending.peek()].filter((one) => one !== name));
  }
}

/** What came of asking the server for a change, once what is shown is read again. */
export async function sent<T>(verb: string, act: () => Promise<T>, refresh: () => Promise<unknown>): Promise<Sent<T>> {
  try {
    const answer = await act();
    await refresh();
    return { answer };
  } catch (error) {
    // A refusal often means that the page is behind: somebody else was faster.
    void refresh();
    return {
      problem: failure(verb, error),
      where: error instanceof Problem ? error.where : null,
      runId: error instanceof BegunOtherwise ? error.runId : null,
    };
  }
}

/** Send a control that makes a new run, which `act` gives this id: sent again, it makes no second one. */
export function sendNew<T>(feed: RunFeed, asked: Asked, verb: string, act: (newId: string) => Promise<T>): Promise<Sent<T>> {
  return send(feed, asked, verb, () => once(nameOf(feed.runId, asked), act));
}

/** Why a control failed, for people (R249). */
export function failure(verb: string, error: unknown): string {
  if (error instanceof Unreachable) {
    return `Failed to ${verb}: no answer came. Whether it took effect shows as soon as the server answers again.`;
  }
  if (error instanceof Unanswered || error instanceof BegunOtherwise) return `Failed to ${verb}: ${error.message}`;
  const mend = error instanceof Problem && error.mend && !/^(GET|POST|PUT|DELETE) /.test(error.mend) ? ` (${error.mend})` : "";
  return `Failed to ${verb}: ${messageOf(error)}${mend}`;
}
