// The one word in the top bar: how what is shown is kept up to date, and since when it is not.
import { computed, effect, signal, type ReadonlySignal } from "@preact/signals";

import { get, Problem, sessionEnded } from "../api/client";
import { backoffMs } from "./backoff";
import type { Connection } from "./feed";
import { onWake, seen } from "./waking";
import { sameWord, worst } from "./worst";

/** Whether the server answers those who poll. */
interface Reach {
  answeredAt: number | null;
  away: boolean;
}

const reach = signal<Reach>({ answeredAt: null, away: false });
const feeds = signal<readonly ReadonlySignal<Connection>[]>([]);
const polls = signal<readonly (() => number | null)[]>([]);
const lastEveryMs = signal(2000);

/** For pages that poll by themselves: the server answered, and is asked every so many milliseconds. */
export function noteAnswered(everyMs?: number, at = Date.now()): void {
  if (everyMs !== undefined) lastEveryMs.value = everyMs;
  reach.value = { answeredAt: at, away: false };
}

/** For pages that poll by themselves: no answer came, or one that says that nothing can be read. */
export function noteUnreachable(): void {
  if (!reach.peek().away) reach.value = { ...reach.peek(), away: true };
}

/** For feeds: count this one until the function that is returned is called. */
export function countIn(feed: ReadonlySignal<Connection>): () => void {
  feeds.value = [...feeds.peek(), feed];
  return () => void (feeds.value = feeds.peek().filter((one) => one !== feed));
}

/** For pollers: one that asks so often (null: it is told of changes), until the function that is returned is called. */
export function countPoll(everyMs: () => number | null): () => void {
  polls.value = [...polls.peek(), everyMs];
  return () => void (polls.value = polls.peek().filter((one) => one !== everyMs));
}

/** The worst of the runs that are watched; when none is, whether polls are answered, or not needed. The same object for as long as it says the same. */
export const connection: ReadonlySignal<Connection> = computed(() => {
  const found = word();
  if (!sameWord(found, said)) said = found;
  return said;
});

let said: Connection = { kind: "connecting" };

function word(): Connection {
  if (feeds.value.length > 0) return worst(feeds.value.map((feed) => feed.value));
  const { answeredAt, away } = reach.value;
  if (away) return { kind: "offline", asOf: answeredAt };
  if (answeredAt === null) return { kind: "connecting" };
  const often = polls.value.map((everyMs) => everyMs());
  const asked = often.filter((everyMs) => everyMs !== null);
  if (often.length > 0 && asked.length === 0) return { kind: "live" };
  return { kind: "polling", everyMs: asked.length === 0 ? lastEveryMs.value : Math.min(...asked) };
}

/** Nobody asks, and the last who did got no answer: then the word itself finds out when the server is back. */
const forsaken = computed(() => reach.value.away && feeds.value.length === 0 && polls.value.length === 0 && !sessionEnded.value);

effect(() => {
  if (!forsaken.value) return;
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ask = async () => {
    clearTimeout(timer);
    if (!seen()) return;
    try {
      await get("/config/workflow");
      noteAnswered();
    } catch (problem) {
      if (problem instanceof Problem && problem.status < 500) return noteAnswered();
      failures += 1;
      if (forsaken.peek()) timer = setTimeout(ask, backoffMs(failures));
    }
  };
  timer = setTimeout(ask, backoffMs(1));
  const stop = onWake(() => void ask());
  return () => {
    stop();
    clearTimeout(timer);
  };
});
