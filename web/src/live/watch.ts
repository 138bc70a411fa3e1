// A run that is watched: reads, events and documents come together here, and the page is told a few times a second.
import { batch, effect, signal } from "@preact/signals";

import { getTagged, Problem, sessionEnded, Unreachable } from "../api/client";
import type { LiveEvent, LogEvent, State } from "../api/types";
import { pollMs } from "../session";
import { countIn } from "./connection";
import { begin, beforeReplay, rebase, takeSummary, type Summary } from "./documents";
import type { Connection, RunFeed, Shown } from "./feed";
import { fold, type Lost, type Told } from "./fold";
import { paced } from "./pace";
import { listenTo, subscribe } from "./link";
import { asleep, connectionOf, step, type Effect, type Input, type Machine } from "./machine";
import { onWake, seen } from "./waking";
import type { View } from "./view";
import { sameWord } from "./worst";

/** A run that nobody watches any more is watched on for so long: going back to it shows it at once. */
const LINGER_MS = 10_000;
/** Drawing costs more than folding: a run that tells 20 times a second is drawn 10 times. */
const SPACING_MS = 100;
/** A long replay is taken in piece by piece. */
const EVENTS_AT_ONCE = 250;

const watched = new Map<string, Watch>();

/** Watch a run. All who watch the same run share one feed; each closes its own. */
export function watchRun(runId: string): RunFeed {
  let watch = watched.get(runId);
  if (watch === undefined) watched.set(runId, (watch = new Watch(runId)));
  return watch.open();
}

class Watch {
  readonly state = signal<State | null>(null);
  readonly shown = signal<Shown>("loading");
  readonly problem = signal<unknown>(null);
  readonly connection = signal<Connection>({ kind: "connecting" });
  readonly asOf = signal<number | null>(null);

  private machine: Machine = asleep;
  private view: View | null = null;
  private tag: string | null = null;
  private reading: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private news: (Told | Lost)[] = [];
  private document: State | Summary | null = null;
  private readonly pace = paced(() => this.takeIn(), SPACING_MS);
  private readonly eventListeners = new Set<(event: LiveEvent) => void>();
  private readonly logListeners = new Map<string, Set<(piece: LogEvent) => void>>();
  private waiting: (() => void)[] = [];
  private users = 0;
  private linger: ReturnType<typeof setTimeout> | undefined;
  private countOut: (() => void) | null = null;
  /** Nobody watches any more: whoever comes late, such as a control that the server answered only now, begins nothing. */
  private ended = false;
  private readonly ends: (() => void)[] = [];

  constructor(readonly runId: string) {
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
      listenTo(runId, {
        up: () => this.put({ it: "socket-up" }),
        down: () => this.put({ it: "socket-down" }),
        event: (told) => this.hear(() => this.news.push(told)),
        lost: (position) => this.hear(() => this.news.push({ lostBefore: position })),
        document: (document) => this.hear(() => (this.document = document)),
      }),
    );
  }

  open(): RunFeed {
    clearTimeout(this.linger);
    this.users += 1;
    this.countOut ??= countIn(this.connection);
    const { runId, state, shown, problem, connection, asOf } = this;
    const mine: (() => void)[] = [];
    let open = true;
    const kept = (stop: () => void) => {
      mine.push(stop);
      return stop;
    };
    return {
      runId, state, shown, problem, connection, asOf,
      onEvent: (listen) => kept(this.addListener(this.eventListeners, listen)),
      onLog: (key, listen) => kept(this.onLog(key, listen)),
      refresh: () => this.refresh(),
      close: () => {
        if (!open) return;
        open = false;
        for (const stop of mine) stop();
        this.leave();
      },
    };
  }

  private leave(): void {
    this.users -= 1;
    if (this.users > 0) return;
    this.countOut?.();
    this.countOut = null;
    this.linger = setTimeout(() => this.end(), LINGER_MS);
  }

  private end(): void {
    this.ended = true;
    watched.delete(this.runId);
    for (const end of this.ends) end();
    this.pace.cancel();
    clearTimeout(this.timer);
    this.reading?.abort();
    this.reading = null;
    for (const resolve of this.waiting) resolve();
    this.waiting = [];
  }

  private addListener<T>(to: Set<T>, listen: T): () => void {
    to.add(listen);
    return () => to.delete(listen);
  }

  private onLog(key: string, listen: (piece: LogEvent) => void): () => void {
    const all = this.logListeners.get(key) ?? new Set();
    this.logListeners.set(key, all);
    return this.addListener(all, listen);
  }

  private refresh(): Promise<void> {
    if (this.ended) return Promise.resolve();
    return new Promise((resolve) => {
      this.put({ it: "wanted" });
      if (this.reading === null) resolve();
      else this.waiting.push(resolve);
    });
  }

  /** Something happened: decide, do, and show how things stand. */
  private put(input: Input): void {
    if (this.ended) return;
    const { machine, effects } = step(this.machine, input, { at: Date.now(), pollMs: pollMs.peek(), random: Math.random });
    this.machine = machine;
    clearTimeout(this.timer);
    if (machine.due !== null) this.timer = setTimeout(() => this.put({ it: "due" }), Math.max(0, machine.due - Date.now()));
    this.showConnection();
    for (const one of effects) this.carryOut(one);
  }

  private showConnection(): void {
    const { machine } = this;
    const word = connectionOf(machine, Date.now(), pollMs.peek());
    batch(() => {
      if (!sameWord(word, this.connection.peek())) this.connection.value = word;
      this.asOf.value = machine.asOf;
    });
  }

  private carryOut(what: Effect): void {
    if (what === "read") {
      this.reading?.abort();
      this.reading = new AbortController();
      void this.read(this.reading);
    } else void this.join();
  }

  private async read(asked: AbortController): Promise<void> {
    const version = this.view?.state.version ?? 0;
    const tag = this.tag;
    let input: Input;
    try {
      const query = { workflow_id: this.runId };
      const found = await getTagged("/workflow/state", tag, { query, signal: asked.signal });
      if (asked !== this.reading) return;
      this.tag = found.tag;
      const document = found.answer?.state ?? null;
      if (document !== null) this.show(document, version);
      this.problem.value = null;
      input = { it: "answered", changed: document !== null };
    } catch (problem) {
      if (asked !== this.reading) return;
      input = this.inputOf(problem);
    }
    this.reading = null;
    const waiting = this.waiting;
    this.waiting = [];
    this.put(input);
    // A read that was asked for meanwhile is what they wait for.
    if (this.reading !== null) this.waiting.push(...waiting);
    else for (const resolve of waiting) resolve();
  }

  /** What a read showed. `asked`: the version that was shown when it began. */
  private show(document: State, asked: number): void {
    const { view } = this;
    // A state that is older than what was shown before it was asked for: the database went back, and we with it.
    const wentBack = view !== null && document.version < asked;
    batch(() => {
      this.set(view === null || wentBack ? { ...begin(document), ...(view && { position: view.position }) } : rebase(view, document, Date.now()));
      this.shown.value = "shown";
    });
  }

  private inputOf(problem: unknown): Input {
    if (problem instanceof Problem && problem.status === 404) {
      batch(() => {
        this.shown.value = "unknown";
        this.problem.value = problem;
      });
      this.tag = null;
      return { it: "missing" };
    }
    if (problem instanceof Problem && problem.status === 401) return { it: "signed-out" };
    batch(() => {
      this.problem.value = problem;
      if (this.state.peek() === null) this.shown.value = "failed";
    });
    if (!(problem instanceof Problem || problem instanceof Unreachable)) console.error(problem);
    const afterS = problem instanceof Problem ? problem.retryAfterS : null;
    return { it: "unanswered", ...(afterS === null ? {} : { afterMs: afterS * 1000 }) };
  }

  private async join(): Promise<void> {
    this.takeAllIn();
    if (this.view !== null) this.view = beforeReplay(this.view);
    const after = this.view?.position ?? null;
    const { joined, position } = await subscribe(this.runId, after);
    if (this.ended) return;
    this.put({ it: joined ? "joined" : "not-joined" });
    if (joined && after === null) {
      // From now on: what came between the state and now is missing, which may be the end. Told last: having joined, one reads rarely.
      if (this.view !== null && this.view.position === null) this.view = { ...this.view, position };
      this.put({ it: "incomplete", unseen: true });
    }
  }

  private hear(keep: () => void): void {
    if (this.view === null) return;
    keep();
    this.pace.ask();
  }

  private takeAllIn(): void {
    while (this.news.length > 0) this.takeIn();
  }

  /** What has come since the last time. */
  private takeIn(): void {
    if (this.view === null) return;
    const news = this.news.length <= EVENTS_AT_ONCE ? this.news : this.news.slice(0, EVENTS_AT_ONCE);
    this.news = this.news.slice(news.length);
    const now = Date.now();
    const wasActive = this.view.state.active;
    const { view, taken, incomplete } = fold(this.view, news, now);
    let next = { view, incomplete };
    const { document } = this;
    this.document = null;
    if (document !== null) {
      next = "steps" in document ? { view: rebase(view, document, now), incomplete } : takeSummary(view, document, now);
      next.incomplete ||= incomplete;
    }
    batch(() => {
      this.set(next.view);
      for (const event of taken) this.tell(event);
      this.put({ it: "heard" });
      // Whoever is told of the end elsewhere is told why, which only the state says.
      if (next.incomplete) this.put({ it: "incomplete", unseen: wasActive && !next.view.state.active });
    });
    if (this.news.length > 0) this.pace.ask();
  }

  private tell(event: LiveEvent): void {
    const told = event.type === "log" ? this.logListeners.get(event.key) : undefined;
    for (const listen of [...this.eventListeners]) guarded(() => listen(event));
    if (event.type === "log") for (const listen of [...(told ?? [])]) guarded(() => listen(event));
  }

  private set(view: View): void {
    this.view = view;
    this.state.value = view.state;
  }
}

/** A listener that fails is not the others' fault. */
function guarded(run: () => void): void {
  try {
    run();
  } catch (error) {
    console.error(error);
  }
}
