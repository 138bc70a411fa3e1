// A run that is watched: reads, events and documents come together here, and the page is told a few times a second.
import { batch, signal } from "@preact/signals";

import { getTagged } from "../api/client";
import type { LiveEvent, LogEvent, State } from "../api/types";
import { countIn } from "./connection";
import { begin, beforeReplay, rebase, takeSummary, type Summary } from "./documents";
import { Driver } from "./driver";
import type { Connection, RunFeed, Shown } from "./feed";
import { fold, type Lost, type Told } from "./fold";
import { paced } from "./pace";
import type { View } from "./view";

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

/** What a read found. `version`: what was shown when it began; `document` null: that still holds. */
interface Found {
  version: number;
  tag: string | null;
  document: State | null;
}

class Watch {
  readonly state = signal<State | null>(null);
  readonly shown = signal<Shown>("loading");
  readonly problem = signal<unknown>(null);
  readonly connection = signal<Connection>({ kind: "connecting" });
  readonly asOf = signal<number | null>(null);

  private view: View | null = null;
  private tag: string | null = null;
  private news: (Told | Lost)[] = [];
  private document: State | Summary | null = null;
  private readonly pace = paced(() => this.takeIn(), SPACING_MS);
  private readonly eventListeners = new Set<(event: LiveEvent) => void>();
  private readonly logListeners = new Map<string, Set<(piece: LogEvent) => void>>();
  private waiting: (() => void)[] = [];
  private users = 0;
  private linger: ReturnType<typeof setTimeout> | undefined;
  private countOut: (() => void) | null = null;
  private readonly driver: Driver<Found>;

  constructor(readonly runId: string) {
    const { connection, asOf } = this;
    this.driver = new Driver<Found>({
      runId, connection, asOf,
      ask: (abort) => this.ask(abort),
      take: (found) => this.take(found),
      missed: (why, problem) => this.missed(why, problem),
      rested: () => this.rested(),
      settle: () => this.settle(),
      begin: (position) => { if (this.view !== null && this.view.position === null) this.view = { ...this.view, position }; },
      hears: {
        event: (told) => this.hear(() => this.news.push(told)),
        lost: (position) => this.hear(() => this.news.push({ lostBefore: position })),
        document: (document) => this.hear(() => (this.document = document)),
      },
    });
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
    watched.delete(this.runId);
    this.driver.stop();
    this.pace.cancel();
    this.rested();
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
    return new Promise((resolve) => {
      this.driver.put({ it: "wanted" });
      if (this.driver.reading) this.waiting.push(resolve);
      else resolve();
    });
  }

  private async ask(signal: AbortSignal): Promise<Found> {
    const version = this.view?.state.version ?? 0;
    const { tag, answer } = await getTagged("/workflow/state", this.tag, { query: { workflow_id: this.runId }, signal });
    return { version, tag, document: answer?.state ?? null };
  }

  private take({ version, tag, document }: Found): { changed: boolean; incomplete: boolean } {
    this.tag = tag;
    if (document !== null) this.show(document, version);
    this.problem.value = null;
    return { changed: document !== null, incomplete: false };
  }

  private rested(): void {
    // A read that was asked for meanwhile is what they wait for.
    if (this.driver.reading) return;
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
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

  private missed(why: "missing" | "signed-out" | "unanswered", problem: unknown): void {
    if (why === "signed-out") return;
    if (why === "missing") this.tag = null;
    batch(() => {
      this.problem.value = problem;
      if (why === "missing") this.shown.value = "unknown";
      else if (this.state.peek() === null) this.shown.value = "failed";
    });
  }

  private settle(): string | null {
    this.takeAllIn();
    if (this.view !== null) this.view = beforeReplay(this.view);
    return this.view?.position ?? null;
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
      this.driver.put({ it: "heard" });
      // Whoever is told of the end elsewhere is told why, which only the state says.
      if (next.incomplete) this.driver.put({ it: "incomplete", unseen: wasActive && !next.view.state.active });
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
