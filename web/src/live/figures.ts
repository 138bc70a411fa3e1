// Figures of a dashboard: sent by the relay while it is there, asked for while it is not.
import type { FetchPage, ListFeed } from "./list";
import { pollList } from "./list";
import type { Topic } from "./link";
import { share } from "./share";
import { follow } from "./topic";

const SILENT_TIMES = 3;
const SILENT_LEAST_MS = 10_000;
/** Answers overtake each other by less; what is older by more was counted by a clock that was set back. */
const OVERTAKEN_MS = 60_000;

export interface Figures<T> {
  topic: Topic;
  body?: object;
  /** How to ask for them where they are not sent. */
  read: FetchPage<T>;
  /** How often they are sent, and asked for. */
  everyMs: number;
  /** When they were read, as the server says it. */
  at: (found: T) => string;
  /** Whether they are the ones that were asked for. */
  meant?: (found: T) => boolean;
}

/** Keep figures up to date until closed. What is equal stays the same object, so that a chart of it is not drawn again. */
export function followFigures<T>({ topic, body, read, everyMs, at, meant = () => true }: Figures<T>): ListFeed<T> {
  const followed = follow(topic, {
    ...(body === undefined ? {} : { body }),
    silentMs: Math.max(SILENT_LEAST_MS, SILENT_TIMES * everyMs),
    hear(_, data) {
      const found = data as T;
      if (!meant(found)) return undefined;
      list.take(found);
      return true;
    },
  });
  const list = pollList(read, { everyMs, live: followed.live, liveEveryMs: null, fold: (shown, found) => newer(shown, found, at) });
  return {
    ...list,
    close() {
      followed.close();
      list.close();
    },
  };
}

/** The newer of two, made of the parts of what is shown: an answer may come after what was sent later. */
export function newer<T>(shown: T | null, found: T, at: (one: T) => string): T {
  if (shown === null) return found;
  const behindMs = Date.parse(at(shown)) - Date.parse(at(found));
  return behindMs > 0 && behindMs < OVERTAKEN_MS ? shown : share(shown, found);
}
