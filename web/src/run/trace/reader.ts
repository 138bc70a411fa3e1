// What happened to a run, read once for all parts of the page that show it, and read on when the run changes.
import { effect, signal, type ReadonlySignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { get, sessionEnded } from "../../api/client";
import type { TraceEntry } from "../../api/types";
import type { RunFeed } from "../../live/feed";
import { whileUsed } from "../../live/used";
import { onWake, seen } from "../../live/waking";

export interface TraceState {
  entries: readonly TraceEntry[];
  /** Whether all that there was when it was last asked for is here. */
  complete: boolean;
  problem: unknown;
}

const PAGE = 1000;
const QUIET_MS = 500;
const AGAIN_MS = 5000;

export class TraceReader {
  private readonly shown = signal<TraceState>({ entries: [], complete: false, problem: null });
  /** Read, and read on, until what this gives is called. */
  readonly use = whileUsed(() => this.follow());

  constructor(private readonly feed: RunFeed) {}

  get state(): ReadonlySignal<TraceState> {
    return this.shown;
  }

  private follow(): () => void {
    const stopped = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    /** When the planned read is due, and how soon after the last one the next may be. */
    let planned = Infinity;
    let earliest = 0;
    let reading = false;
    let wanted = false;
    const read = async () => {
      planned = Infinity;
      // Nobody looks, or may: there is time for it when somebody does.
      if (reading || stopped.signal.aborted || !seen() || sessionEnded.peek()) {
        wanted = true;
        return;
      }
      reading = true;
      wanted = false;
      try {
        await this.readOn(stopped.signal);
        earliest = Date.now() + QUIET_MS;
      } catch (problem) {
        if (stopped.signal.aborted) return;
        this.shown.value = { ...this.shown.peek(), problem };
        earliest = Date.now() + AGAIN_MS;
        wanted = true;
      } finally {
        reading = false;
      }
      if (wanted) plan(earliest);
    };
    // What is planned is never put off: a run that changes all the time is read all the time.
    const plan = (at: number) => {
      if (at >= planned || stopped.signal.aborted) return;
      planned = at;
      clearTimeout(timer);
      timer = setTimeout(() => void read(), Math.max(0, at - Date.now()));
    };
    const asleep = onWake(() => { if (wanted) plan(0); });
    let version: number | null | undefined = null;
    const unwatch = effect(() => {
      const now = this.feed.state.value?.version;
      // Progress changes the state as well, but is nothing that a trace tells.
      if (now === version) return;
      version = now;
      if (reading) wanted = true;
      else plan(earliest);
    });
    return () => { stopped.abort(); clearTimeout(timer); unwatch(); asleep(); };
  }

  private async readOn(stopped: AbortSignal): Promise<void> {
    for (;;) {
      const before = this.shown.peek().entries;
      const last = before[before.length - 1]?.seq ?? 0;
      const answer = await get("/workflow/trace", { query: { workflow_id: this.feed.runId, after: last, limit: PAGE }, signal: stopped });
      const fresh = answer.trace.filter((entry) => entry.seq > last);
      const complete = answer.next === null;
      const now = this.shown.peek();
      if (fresh.length > 0 || complete !== now.complete || now.problem !== null) {
        this.shown.value = { entries: fresh.length > 0 ? [...before, ...fresh] : before, complete, problem: null };
      }
      if (complete || fresh.length === 0) return;
    }
  }
}

const readers = new WeakMap<RunFeed, TraceReader>();

/** The trace of a run, kept up to date while a part of the page uses it. */
export function useTrace(feed: RunFeed): TraceState {
  let reader = readers.get(feed);
  if (!reader) readers.set(feed, (reader = new TraceReader(feed)));
  const used = reader;
  useEffect(() => used.use(), [used]);
  return used.state.value;
}
