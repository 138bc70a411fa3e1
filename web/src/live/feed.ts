// What a page knows of a run it watches: the state as the server last said it, kept up to date.
import type { ReadonlySignal } from "@preact/signals";

import type { LiveEvent, LogEvent, State } from "../api/types";

/** How the page is kept up to date. Times in milliseconds since 1970. */
export type Connection =
  | { kind: "connecting" }
  | { kind: "live" }
  | { kind: "polling"; everyMs: number }
  | { kind: "offline"; asOf: number | null };

export type Shown =
  /** Nothing has been read yet. */
  | "loading"
  | "shown"
  /** There is no such run. */
  | "unknown"
  /** The first read failed; `problem` says why. */
  | "failed";

export interface RunFeed {
  readonly runId: string;
  readonly state: ReadonlySignal<State | null>;
  readonly shown: ReadonlySignal<Shown>;
  readonly problem: ReadonlySignal<unknown>;
  readonly connection: ReadonlySignal<Connection>;
  /** When the server last confirmed what is shown: by an event, an answer, or a 304. */
  readonly asOf: ReadonlySignal<number | null>;
  /** Events as they come, logs too, each once in order; for what the state does not hold. */
  onEvent(listen: (event: LiveEvent) => void): () => void;
  /** Pieces of one step's log as they come. */
  onLog(key: string, listen: (piece: LogEvent) => void): () => void;
  /** Read the state now, for example after a control; resolves when it is shown. */
  refresh(): Promise<void>;
  close(): void;
}
