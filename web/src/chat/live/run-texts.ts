// The messages that the steps of a run write, kept up to date for as long as one of them is being written.
import { batch, effect, signal, type ReadonlySignal, type Signal } from "@preact/signals";

import { Problem, sessionEnded, Unreachable } from "../../api/client";
import { countIn } from "../../live/connection";
import type { Connection } from "../../live/feed";
import type { Told } from "../../live/fold";
import { listenTo, subscribe } from "../../live/link";
import { asleep, connectionOf, step, type Effect, type Input, type Machine } from "../../live/machine";
import { paced } from "../../live/pace";
import { placeOf, stepTo } from "../../live/position";
import { onWake, seen } from "../../live/waking";
import { sameWord } from "../../live/worst";
import { pollMs } from "../../session";
import { readMessage } from "../api";
import type { Message } from "../types";
import { fold, partOf, rebase, type Part } from "./fold";

/** Twice in three frames: a reader sees no difference, a slow phone does. */
const SPACING_MS = 25;

const all = new Map<string, RunTexts>();
const endings = new Set<(message: Message) => void>();

/** A message of a run as it is now. What is not being written is read when `whole` is asked for: with its proposals. */
export function watchMessage(message: Message, whole = false): ReadonlySignal<Message> {
  const runId = message.run_id ?? "";
  let texts = all.get(runId);
  if (texts === undefined) all.set(runId, (texts = new RunTexts(runId)));
  return texts.watch(message, whole);
}

/** Be told of messages that have ended, as they end. */
export function onEnded(listen: (message: Message) => void): () => void {
  endings.add(listen);
  return () => endings.delete(listen);
}

/** Read a message now, for example after it was stopped, or an agent of it asked again. */
export const refreshMessage = (message: Message): void => all.get(message.run_id ?? "")?.refresh(message.id);

/** Nobody looks at chats any more: what is watched is let go. */
export function forgetAll(): void {
  for (const texts of all.values()) texts.sleep();
  all.clear();
}

class RunTexts {
  /** Those that were asked for, by id; proposals come with their answer. */
  private readonly answers = new Set<string>();
  private readonly parts = new Map<string, Part>();
  private readonly shown = new Map<string, Signal<Message>>();
  private readonly connection = signal<Connection>({ kind: "connecting" });
  private machine: Machine = asleep;
  private awake = false;
  private position: string | null = null;
  private news: (Told | { lostBefore: string })[] = [];
  private reading: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly pace = paced(() => this.takeIn(), SPACING_MS);
  private ends: (() => void)[] = [];

  constructor(private readonly runId: string) {}

  watch(message: Message, whole: boolean): ReadonlySignal<Message> {
    const known = this.shown.get(message.id);
    const part = this.parts.get(message.id);
    if (message.part === "message") this.answers.add(message.id);
    if (known === undefined || part === undefined) this.put(partOf(message));
    // It is being written again, as was found out elsewhere.
    else if (message.status === "writing" && part.message.status !== "writing" && (message.attempt ?? 0) > (part.message.attempt ?? 0)) this.put(partOf(message));
    const found = this.shown.get(message.id)!;
    if (this.isOpen()) this.wake();
    else if (whole && found.peek().proposals == null) void this.readOnce(message.id);
    return found;
  }

  refresh(id: string): void {
    if (this.awake) this.input({ it: "wanted" });
    else void this.readOnce(id);
  }

  sleep(): void {
    this.awake = false;
    for (const end of this.ends) end();
    this.ends = [];
    clearTimeout(this.timer);
    this.pace.cancel();
    this.news = [];
    this.reading?.abort();
    this.reading = null;
    this.position = null;
  }

  private isOpen = (): boolean => [...this.parts.values()].some((part) => part.message.status === "writing");

  private wake(): void {
    if (this.awake) return;
    this.awake = true;
    this.machine = asleep;
    const hide = () => { if (!seen()) this.input({ it: "hidden" }); };
    document.addEventListener("visibilitychange", hide);
    this.ends.push(
      () => document.removeEventListener("visibilitychange", hide),
      onWake(() => this.input({ it: "woken" })),
      countIn(this.connection),
    );
    this.input({ it: "opened", seen: seen() });
    let ended = sessionEnded.peek();
    this.ends.push(
      effect(() => {
        const was = ended;
        ended = sessionEnded.value;
        if (was !== ended) this.input({ it: ended ? "signed-out" : "signed-in" });
      }),
      listenTo(this.runId, {
        up: () => this.input({ it: "socket-up" }),
        down: () => this.input({ it: "socket-down" }),
        event: (told) => this.hear(told),
        lost: (lostBefore) => this.hear({ lostBefore }),
      }),
    );
  }

  private input(input: Input): void {
    if (!this.awake) return;
    const { machine, effects } = step(this.machine, input, { at: Date.now(), pollMs: pollMs.peek(), random: Math.random });
    this.machine = machine;
    clearTimeout(this.timer);
    if (machine.due !== null) this.timer = setTimeout(() => this.input({ it: "due" }), Math.max(0, machine.due - Date.now()));
    const word = connectionOf(machine, Date.now(), pollMs.peek());
    if (!sameWord(word, this.connection.peek())) this.connection.value = word;
    for (const one of effects) this.carryOut(one);
  }

  private carryOut(what: Effect): void {
    if (what === "read") {
      this.reading?.abort();
      this.reading = new AbortController();
      void this.read(this.reading);
    } else void this.join();
  }

  private async read(asked: AbortController): Promise<void> {
    let input: Input;
    try {
      const open = [...this.answers].filter((id) => this.concerns(id));
      const found = await Promise.all(open.map((id) => readMessage(id, asked.signal)));
      if (asked !== this.reading) return;
      const incomplete = this.take(found);
      input = { it: "answered", changed: false };
      if (incomplete) queueMicrotask(() => this.input({ it: "incomplete" }));
    } catch (problem) {
      if (asked !== this.reading) return;
      input = inputOf(problem);
      if (input.it === "missing") this.gone();
    }
    this.reading = null;
    this.input(input);
    if (!this.isOpen()) this.sleep();
  }

  private async readOnce(id: string): Promise<void> {
    try {
      this.take([await readMessage(id)]);
    } catch (problem) {
      // What is shown stays: its proposals can be asked for again.
      if (!(problem instanceof Problem || problem instanceof Unreachable)) console.error(problem);
    }
    if (this.isOpen()) this.wake();
  }

  /** Whether an answer, or one of its proposals, is being written. */
  private concerns(id: string): boolean {
    const message = this.parts.get(id)?.message;
    return message?.status === "writing" || (message?.proposals ?? []).some((one) => this.parts.get(one.id)?.message.status === "writing");
  }

  /** Deleted, here or elsewhere. */
  private gone(): void {
    for (const part of this.parts.values()) {
      if (part.message.status === "writing") this.put({ ...part, message: { ...part.message, status: "stopped", step: null } });
    }
  }

  private take(found: readonly Message[]): boolean {
    let incomplete = false;
    batch(() => {
      for (const message of found) {
        for (const one of [message, ...(message.proposals ?? [])]) {
          const next = rebase(this.parts.get(one.id), one);
          incomplete ||= next.incomplete;
          // Proposals are drawn from their own signals.
          this.put(one === message ? { ...next.part, message: { ...next.part.message, proposals: message.proposals ?? [] } } : next.part);
        }
      }
    });
    const first = found.map((one) => one.position ?? null).filter((one) => one !== null).sort(byPlace)[0];
    this.position ??= first ?? null;
    return incomplete;
  }

  private async join(): Promise<void> {
    while (this.news.length > 0) this.takeIn();
    const after = this.position;
    const { joined, position } = await subscribe(this.runId, after);
    if (!this.awake) return;
    this.input({ it: joined ? "joined" : "not-joined" });
    if (joined && after === null) {
      // From now on: what came between the snapshot and now is missing, which may be the end. Told last: having joined, one reads rarely.
      this.position ??= position;
      this.input({ it: "incomplete", unseen: true });
    }
  }

  private hear(news: Told | { lostBefore: string }): void {
    if (!this.awake) return;
    this.news.push(news);
    this.pace.ask();
  }

  private takeIn(): void {
    const { news } = this;
    this.news = [];
    let incomplete = false;
    batch(() => {
      const changed = new Map<string, Part>();
      for (const one of news) {
        if ("lostBefore" in one) {
          this.position = one.lostBefore;
          incomplete = true;
          continue;
        }
        const place = stepTo(this.position, one);
        if (place === "again") continue;
        incomplete ||= place === "gap";
        this.position = one.position;
        for (const [id, part] of this.parts) {
          const next = fold(changed.get(id) ?? part, one);
          if (next.part !== part) changed.set(id, next.part);
          incomplete ||= next.incomplete;
        }
      }
      for (const part of changed.values()) this.put(part);
      this.input({ it: "heard" });
      if (incomplete) this.input({ it: "incomplete", unseen: true });
    });
  }

  private put(part: Part): void {
    const { message } = part;
    const before = this.parts.get(message.id)?.message;
    this.parts.set(message.id, part);
    const known = this.shown.get(message.id);
    if (known === undefined) this.shown.set(message.id, signal(message));
    else known.value = message;
    if (before?.status === "writing" && message.status !== "writing") for (const listen of [...endings]) listen(message);
  }
}

function inputOf(problem: unknown): Input {
  if (problem instanceof Problem && problem.status === 404) return { it: "missing" };
  if (problem instanceof Problem && problem.status === 401) return { it: "signed-out" };
  if (!(problem instanceof Problem || problem instanceof Unreachable)) console.error(problem);
  const afterS = problem instanceof Problem ? problem.retryAfterS : null;
  return { it: "unanswered", ...(afterS === null ? {} : { afterMs: afterS * 1000 }) };
}

function byPlace(one: string, other: string): number {
  const [a, b] = [placeOf(one), placeOf(other)];
  return a.epoch - b.epoch || a.seq - b.seq;
}
