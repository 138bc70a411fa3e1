// Keeps the log of one attempt as lines: read page by page, then put together with what comes live.
import { effect, signal, type ReadonlySignal } from "@preact/signals";

import { get } from "../../api/client";
import type { LogEvent, LogPiece } from "../../api/types";
import type { RunFeed } from "../../live/feed";
import { onWake, seen } from "../../live/waking";
import { pollMs } from "../../session";
import { LineBuffer } from "./lines";
import { Early, place, type Piece } from "./pieces";

export type Reading = "loading" | "read" | "failed";

const PAGE_BYTES = 256 * 1024;
/** Live pieces are stored within half a second; a gap that stays longer is one of the log itself. */
const GAP_TRIES = 6;
/** How often to make sure, while pieces come live. */
const SURE_MS = 15_000;

export class LogReader {
  readonly buffer = new LineBuffer();
  private readonly changes = signal(0);
  private readonly state = signal<Reading>("loading");
  private readonly fault = signal<unknown>(null);
  private readonly early = new Early();
  private readonly stopped = new AbortController();
  private end = 0;
  private reading = false;
  private again = false;
  private gapTries = 0;
  private frame = 0;
  private timer = 0;
  private due = Infinity;

  constructor(private readonly feed: RunFeed, private readonly key: string, private readonly attempt: number) {}

  /** Grows when lines do, at most once a frame. */
  get changed(): ReadonlySignal<number> { return this.changes; }
  get reads(): ReadonlySignal<Reading> { return this.state; }
  get problem(): ReadonlySignal<unknown> { return this.fault; }

  /** Read, and go on until the function that is returned is called. */
  start(): () => void {
    const unlisten = this.feed.onLog(this.key, (piece) => this.hear(piece));
    // When the step changes, and above all when it ends, its log is read to the end.
    let known: string | null = null;
    const unwatch = effect(() => {
      const step = this.feed.state.value?.steps.find((one) => one.key === this.key);
      const mark = `${step?.status} ${step?.attempt}`;
      if (mark === known) return;
      known = mark;
      void this.read();
    });
    const asleep = onWake(() => this.plan(0));
    return () => {
      unlisten();
      unwatch();
      asleep();
      clearTimeout(this.timer);
      cancelAnimationFrame(this.frame);
      this.stopped.abort();
    };
  }

  /** Read from where the lines end. */
  async read(): Promise<void> {
    if (this.stopped.signal.aborted) return;
    if (this.reading) {
      this.again = true;
      return;
    }
    this.reading = true;
    clearTimeout(this.timer);
    this.due = Infinity;
    try {
      do {
        this.again = false;
        await this.readToEnd();
      } while (this.again);
      this.fault.value = null;
      this.state.value = "read";
    } catch (error) {
      if (this.stopped.signal.aborted) return;
      this.fault.value = error;
      if (this.state.peek() === "loading") this.state.value = "failed";
    } finally {
      this.reading = false;
    }
    this.plan();
  }

  private async readToEnd(): Promise<void> {
    for (;;) {
      const answer = await get("/workflow/logs", {
        query: { workflow_id: this.feed.runId, step: this.key, attempt: this.attempt, after: this.end, limit: PAGE_BYTES },
        signal: this.stopped.signal,
      });
      const before = this.end;
      this.takePage(answer.pieces, answer.next);
      if (this.end === before) break;
    }
    this.takeEarly();
    if (!this.early.empty && (this.gapTries += 1) >= GAP_TRIES) this.leap();
  }

  private takePage(pieces: readonly LogPiece[], next: number): void {
    pieces.forEach((piece, at) => {
      const until = pieces[at + 1]?.offset ?? next;
      this.take({ offset: piece.offset, text: piece.text, level: piece.level, at: Date.parse(piece.time), received: false }, until - piece.offset);
    });
  }

  private hear(event: LogEvent): void {
    if (event.attempt !== this.attempt) return;
    const piece: Piece = { offset: event.offset, text: event.text, level: event.level, at: Date.now(), received: true };
    if (!this.reading && this.take(piece)) return;
    // What comes while a page is on its way, or behind a gap, waits for what is missing.
    this.early.keep(piece);
    if (!this.reading) this.plan(300);
  }

  /** Put a piece where it belongs; false when something is missing before it. */
  private take(piece: Piece, span?: number): boolean {
    const placed = place(this.end, piece, span);
    if (placed.kind === "gap") return false;
    if (placed.kind === "next") {
      this.buffer.append(placed.text, { level: piece.level, at: piece.at, received: piece.received });
      this.end = placed.end;
      this.gapTries = 0;
      this.tell();
    }
    return true;
  }

  private takeEarly(): void {
    for (let piece = this.early.take(this.end); piece; piece = this.early.take(this.end)) this.take(piece);
  }

  /** Some of the log is not to be had: say so, and go on behind it. */
  private leap(): void {
    const first = this.early.first;
    if (first === null) return;
    this.buffer.notice(`[${first - this.end} characters of the log are missing here]`);
    this.end = first;
    this.gapTries = 0;
    this.takeEarly();
    this.tell();
  }

  private tell(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.changes.value += 1;
    });
  }

  /** When to read next: soon to close a gap, now and then while it goes on; not while nobody looks. */
  private plan(afterMs?: number): void {
    const wait = this.stopped.signal.aborted || !seen() ? null : (afterMs ?? this.pause());
    const due = wait === null ? Infinity : performance.now() + wait;
    // What is asked for soon is not put off by being asked for again: behind a gap pieces come as often as ever.
    if (afterMs !== undefined && due > this.due) return;
    clearTimeout(this.timer);
    this.due = due;
    if (wait !== null) this.timer = window.setTimeout(() => void this.read(), wait);
  }

  private pause(): number | null {
    if (!this.early.empty) return 500;
    if (this.fault.peek() !== null) return 5000;
    const state = this.feed.state.peek();
    const step = state?.steps.find((one) => one.key === this.key);
    const over = state !== null && (!state.active || (step !== undefined && (step.status !== "in_progress" || step.attempt !== this.attempt)));
    if (over) return null;
    return this.feed.connection.peek().kind === "live" ? SURE_MS : pollMs.peek();
  }
}
