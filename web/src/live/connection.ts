// The one word in the top bar: how what is shown is kept up to date, and since when it is not.
import { computed, signal, type ReadonlySignal } from "@preact/signals";

import type { Connection } from "./feed";
import { worst } from "./worst";

interface Reach {
  answeredAt: number | null;
  everyMs: number;
  away: boolean;
}

const reach = signal<Reach>({ answeredAt: null, everyMs: 0, away: false });
const feeds = signal<readonly ReadonlySignal<Connection>[]>([]);

/** For pages that poll by themselves: the server answered, and is asked every so many milliseconds. */
export function noteAnswered(everyMs: number, at = Date.now()): void {
  reach.value = { answeredAt: at, everyMs, away: false };
}

/** For pages that poll by themselves: no answer came, or one that says that nothing can be read. */
export function noteUnreachable(): void {
  if (!reach.peek().away) reach.value = { ...reach.peek(), away: true };
}

/** For feeds: count this one until the function that is returned is called. */
export function countIn(feed: ReadonlySignal<Connection>): () => void {
  feeds.value = [...feeds.peek(), feed];
  return () => (feeds.value = feeds.peek().filter((one) => one !== feed));
}

/** The worst of the runs that are watched; when none is, whether polls are answered. */
export const connection: ReadonlySignal<Connection> = computed(() => {
  if (feeds.value.length > 0) return worst(feeds.value.map((feed) => feed.value));
  const { answeredAt, everyMs, away } = reach.value;
  if (away) return { kind: "offline", asOf: answeredAt };
  return answeredAt === null ? { kind: "connecting" } : { kind: "polling", everyMs };
});
