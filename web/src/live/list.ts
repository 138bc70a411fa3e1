// A list that is kept up to date by polling: what is shown stays while it is asked for again, and when that fails.
import { batch, signal, type ReadonlySignal } from "@preact/signals";

import { Problem, sessionEnded, Unreachable, type Tagged } from "../api/client";
import { pollMs } from "../session";
import { backoffMs } from "./backoff";
import { countPoll, noteAnswered, noteUnreachable } from "./connection";
import { onWake, seen } from "./waking";

/**
 * Asks for the list: `(tag, signal) => getTagged("/workflow/runs", tag, { query, signal })`. A path that gives no ETag answers
 * with a tag of null.
 */
export type FetchPage<T> = (tag: string | null, signal: AbortSignal) => Promise<Tagged<T>>;

export interface ListFeed<T> {
  /** The last answer; null until the first one (show a skeleton, or `error` if there is one). */
  readonly data: ReadonlySignal<T | null>;
  /** Why the last try failed; null when it did not. The data stays beside it. */
  readonly error: ReadonlySignal<unknown>;
  /** When the server last confirmed the data, in milliseconds since 1970. */
  readonly asOf: ReadonlySignal<number | null>;
  /** True from `ask` to its answer: what is shown answers the question before. Not set by polls. */
  readonly asking: ReadonlySignal<boolean>;
  /** Ask now, for example after a control; resolves when the answer is shown or `error` is set. */
  refresh(): Promise<void>;
  /** Ask something else from now on, such as another filter; the old data stays until the answer comes. */
  ask(fetchPage: FetchPage<T>): Promise<void>;
  close(): void;
}

export interface ListOptions {
  /** Milliseconds between polls; unset: the server's setting. */
  everyMs?: number;
}

const STALE_MS = 2000;

/** Ask at once, and again and again while the page is seen, until closed. Tells the connection word by itself. */
export function pollList<T>(fetchPage: FetchPage<T>, options: ListOptions = {}): ListFeed<T> {
  const data = signal<T | null>(null);
  const error = signal<unknown>(null);
  const asOf = signal<number | null>(null);
  const asking = signal(true);
  let fetching = fetchPage;
  let tag: string | null = null;
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  let current: { abort: AbortController; done: Promise<void>; since: number } | null = null;
  const everyMs = () => options.everyMs ?? pollMs.value;

  function begin(): Promise<void> {
    clearTimeout(timer);
    current?.abort.abort();
    const abort = new AbortController();
    current = { abort, done: read(abort), since: Date.now() };
    return current.done;
  }

  async function read(abort: AbortController): Promise<void> {
    const asked = fetching;
    let waitMs: number | null;
    try {
      const answer = await asked(tag, abort.signal);
      if (abort.signal.aborted) return current?.done;
      batch(() => {
        if (answer.answer !== null) data.value = answer.answer;
        tag = answer.tag;
        error.value = null;
        asking.value = false;
        asOf.value = Date.now();
      });
      failures = 0;
      noteAnswered();
      waitMs = everyMs();
    } catch (reason) {
      if (abort.signal.aborted) return current?.done;
      failures += 1;
      const refused = reason instanceof Problem;
      if (refused && reason.status < 500) noteAnswered();
      else if (refused || reason instanceof Unreachable) noteUnreachable();
      batch(() => {
        error.value = reason;
        asking.value = false;
      });
      // Signed out: nothing to ask for until somebody signs in, which wakes us.
      waitMs = sessionEnded.peek() ? null : Math.max(backoffMs(failures), refused ? (reason.retryAfterS ?? 0) * 1000 : 0);
    }
    current = null;
    if (waitMs !== null) timer = setTimeout(() => { if (seen()) void begin(); }, waitMs);
  }

  const sleepAgain = onWake(() => {
    // What was asked before the network went away may hang until its time is over.
    if (current === null || Date.now() - current.since > STALE_MS) void begin();
  });
  const countOut = countPoll(everyMs);
  void begin();

  return {
    data, error, asOf, asking,
    refresh: () => (closed ? Promise.resolve() : begin()),
    ask(next) {
      fetching = next;
      tag = null;
      asking.value = true;
      return closed ? Promise.resolve() : begin();
    },
    close() {
      closed = true;
      sleepAgain();
      countOut();
      clearTimeout(timer);
      current?.abort.abort();
      current = null;
    },
  };
}
