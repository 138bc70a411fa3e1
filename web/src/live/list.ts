// A list that is kept up to date by polling, less often or not at all while the relay tells of changes: what is shown stays while it is asked for
// again, and when that fails.
import { batch, effect, signal, type ReadonlySignal } from "@preact/signals";

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
  /** Show this, which came without being asked for. */
  take(found: T): void;
  close(): void;
}

export interface ListOptions<T> {
  /** Milliseconds between polls; unset: the server's setting. */
  everyMs?: number;
  /** Whether changes are told; when they are no longer, it is asked at once. Unset: never. */
  live?: ReadonlySignal<boolean>;
  /** Milliseconds between polls meanwhile; null: none. */
  liveEveryMs?: number | null;
  /** What to show of what is shown and what came; unset: what came. */
  fold?: (shown: T | null, found: T) => T;
}

const STALE_MS = 2000;

/** Ask at once, and again and again while the page is seen, until closed. Tells the connection word by itself. */
export function pollList<T>(fetchPage: FetchPage<T>, options: ListOptions<T> = {}): ListFeed<T> {
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
  const isLive = () => options.live?.value ?? false;
  const everyMs = () => (isLive() ? (options.liveEveryMs ?? null) : (options.everyMs ?? pollMs.value));
  const fold = options.fold ?? ((_: T | null, found: T) => found);

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
        if (answer.answer !== null) data.value = fold(data.peek(), answer.answer);
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
    wait(waitMs);
  }

  function wait(waitMs: number | null): void {
    clearTimeout(timer);
    if (waitMs !== null) timer = setTimeout(() => { if (seen()) void begin(); }, waitMs);
  }

  const sleepAgain = onWake(() => {
    // What was asked before the network went away may hang until its time is over.
    if (current === null || Date.now() - current.since > STALE_MS) void begin();
  });
  const countOut = countPoll(() => (isLive() ? null : everyMs()));
  void begin();
  let wasLive = isLive();
  const stopLooking = effect(() => {
    const live = isLive();
    if (live === wasLive || closed) return;
    wasLive = live;
    // One that is under way ends as it would; one that failed tries again when it would.
    if (current !== null || failures > 0) return;
    if (live) wait(everyMs());
    else if (seen()) void begin();
  });

  return {
    data, error, asOf, asking,
    refresh: () => (closed ? Promise.resolve() : begin()),
    ask(next) {
      fetching = next;
      tag = null;
      asking.value = true;
      return closed ? Promise.resolve() : begin();
    },
    take(found) {
      if (closed) return;
      batch(() => {
        data.value = fold(data.peek(), found);
        // What is known under the tag is not what is shown any more.
        tag = null;
        error.value = null;
        asking.value = false;
        asOf.value = Date.now();
      });
      failures = 0;
      noteAnswered();
      if (current === null) wait(everyMs());
    },
    close() {
      closed = true;
      stopLooking();
      sleepAgain();
      countOut();
      clearTimeout(timer);
      current?.abort.abort();
      current = null;
    },
  };
}
