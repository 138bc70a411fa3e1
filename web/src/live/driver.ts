// Drives the machine of one feed: tells it what becomes of the page, the session and the socket, and does what it decides. What
// is read, and what events say, is the feed's own.
import { batch, effect, type Signal } from "@preact/signals";

import { Problem, sessionEnded, Unreachable } from "../api/client";
import { pollMs } from "../session";
import type { Connection } from "./feed";
import { listenTo, subscribe, type Listener } from "./link";
import { asleep, connectionOf, step, type Input, type Machine } from "./machine";
import { onWake, seen } from "./waking";
import { sameWord } from "./worst";

/** What is kept up to date: `Found` is what one read of it answers. */
export interface Driven<Found> {
  readonly runId: string;
  readonly connection: Signal<Connection>;
  /** When the server last confirmed what is shown. */
  readonly asOf?: Signal<number | null>;
  /** Ask how things stand. Rejects as all calls to the server do. */
  ask(signal: AbortSignal): Promise<Found>;
  /** Take in what was found. `changed`: something was other than it was shown; `incomplete`: it has to be read once more. */
  take(found: Found): { changed: boolean; incomplete: boolean };
  /** Nothing was found. `missing`: there is no such thing; `signed-out`: nobody may ask just now. */
  missed(why: "missing" | "signed-out" | "unanswered", problem: unknown): void;
  /** A read has ended, one way or the other. */
  rested(): void;
  /** Take in all that was heard; answers the place in the stream up to which all is known, null when that cannot be said. */
  settle(): string | null;
  /** Where no place was known: from this one on events are heard. */
  begin(position: string | null): void;
  readonly hears: Pick<Listener, "event" | "lost" | "document">;
}

export class Driver<Found> {
  private machine: Machine = asleep;
  private readonly ends: (() => void)[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private read: AbortController | null = null;
  private stopped = false;

  constructor(private readonly driven: Driven<Found>) {
    const hide = () => { if (!seen()) this.put({ it: "hidden" }); };
    document.addEventListener("visibilitychange", hide);
    this.ends.push(
      () => document.removeEventListener("visibilitychange", hide),
      onWake(() => this.put({ it: "woken" })),
    );
    this.put({ it: "opened", seen: seen() });
    let ended = sessionEnded.peek();
    this.ends.push(
      effect(() => {
        const was = ended;
        ended = sessionEnded.value;
        if (was !== ended) this.put({ it: ended ? "signed-out" : "signed-in" });
      }),
      listenTo(driven.runId, { up: () => this.put({ it: "socket-up" }), down: () => this.put({ it: "socket-down" }), ...driven.hears }),
    );
  }

  /** Whether a read is under way. */
  get reading(): boolean {
    return this.read !== null;
  }

  /** Something happened: decide, do, and say how things stand. */
  put(input: Input): void {
    // Whoever comes late, such as a control that the server answered only now, begins nothing.
    if (this.stopped) return;
    const { machine, effects } = step(this.machine, input, { at: Date.now(), pollMs: pollMs.peek(), random: Math.random });
    this.machine = machine;
    clearTimeout(this.timer);
    if (machine.due !== null) this.timer = setTimeout(() => this.put({ it: "due" }), Math.max(0, machine.due - Date.now()));
    this.say();
    for (const one of effects) {
      if (one === "read") void this.ask();
      else void this.join();
    }
  }

  /** Nothing more is asked, heard or told. */
  stop(): void {
    this.stopped = true;
    for (const end of this.ends) end();
    clearTimeout(this.timer);
    this.read?.abort();
    this.read = null;
  }

  private say(): void {
    const { connection, asOf } = this.driven;
    const word = connectionOf(this.machine, Date.now(), pollMs.peek());
    batch(() => {
      if (!sameWord(word, connection.peek())) connection.value = word;
      if (asOf !== undefined) asOf.value = this.machine.asOf;
    });
  }

  private async ask(): Promise<void> {
    this.read?.abort();
    const mine = (this.read = new AbortController());
    let input: Input;
    let incomplete = false;
    try {
      const found = await this.driven.ask(mine.signal);
      if (mine !== this.read) return;
      const taken = this.driven.take(found);
      incomplete = taken.incomplete;
      input = { it: "answered", changed: taken.changed };
    } catch (problem) {
      if (mine !== this.read) return;
      input = missOf(problem);
      this.driven.missed(input.it, problem);
    }
    this.read = null;
    this.put(input);
    if (incomplete) this.put({ it: "incomplete" });
    this.driven.rested();
  }

  private async join(): Promise<void> {
    const after = this.driven.settle();
    const { joined, position } = await subscribe(this.driven.runId, after);
    if (this.stopped) return;
    this.put({ it: joined ? "joined" : "not-joined" });
    if (joined && after === null) {
      // From now on: what came between the read and now is missing, which may be the end. Told last: having joined, one reads rarely.
      this.driven.begin(position);
      this.put({ it: "incomplete", unseen: true });
    }
  }
}

type Miss = Extract<Input, { it: "missing" | "signed-out" | "unanswered" }>;

function missOf(problem: unknown): Miss {
  if (problem instanceof Problem && problem.status === 404) return { it: "missing" };
  if (problem instanceof Problem && problem.status === 401) return { it: "signed-out" };
  if (!(problem instanceof Problem || problem instanceof Unreachable)) console.error(problem);
  const afterS = problem instanceof Problem ? problem.retryAfterS : null;
  return { it: "unanswered", ...(afterS === null ? {} : { afterMs: afterS * 1000 }) };
}
