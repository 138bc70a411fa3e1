// The messages that the steps of a run write, kept up to date for as long as one of them is being written.
import { batch, signal, type ReadonlySignal, type Signal } from "@preact/signals";

import { clockSkew, Problem, Unreachable } from "../../api/client";
import { countIn } from "../../live/connection";
import { Driver } from "../../live/driver";
import type { Connection } from "../../live/feed";
import type { Told } from "../../live/fold";
import { paced } from "../../live/pace";
import { placeOf, stepTo } from "../../live/position";
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
  /** While something is being written. */
  private driver: Driver<readonly Message[]> | null = null;
  private countOut: (() => void) | null = null;
  private position: string | null = null;
  private news: (Told | { lostBefore: string })[] = [];
  private readonly pace = paced(() => this.takeIn(), SPACING_MS);

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
    if (this.driver !== null) this.driver.put({ it: "wanted" });
    else void this.readOnce(id);
  }

  sleep(): void {
    this.driver?.stop();
    this.driver = null;
    this.countOut?.();
    this.countOut = null;
    this.pace.cancel();
    this.news = [];
    this.position = null;
  }

  private isOpen = (): boolean => [...this.parts.values()].some((part) => part.message.status === "writing");

  private wake(): void {
    if (this.driver !== null) return;
    this.countOut = countIn(this.connection);
    this.driver = new Driver<readonly Message[]>({
      runId: this.runId, connection: this.connection,
      ask: (abort) => Promise.all([...this.answers].filter((id) => this.concerns(id)).map((id) => readMessage(id, abort))),
      take: (found) => ({ changed: false, incomplete: this.take(found) }),
      missed: (why) => { if (why === "missing") this.gone(); },
      rested: () => { if (!this.isOpen()) this.sleep(); },
      settle: () => {
        while (this.news.length > 0) this.takeIn();
        return this.position;
      },
      begin: (position) => { this.position ??= position; },
      hears: { event: (told) => this.hear(told), lost: (lostBefore) => this.hear({ lostBefore }) },
    });
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
    const now = serverNow();
    batch(() => {
      for (const message of found) {
        for (const one of [message, ...(message.proposals ?? [])]) {
          const next = rebase(this.parts.get(one.id), one, now);
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

  private hear(news: Told | { lostBefore: string }): void {
    this.news.push(news);
    this.pace.ask();
  }

  private takeIn(): void {
    const { news } = this;
    this.news = [];
    let incomplete = false;
    const now = serverNow();
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
          const next = fold(changed.get(id) ?? part, one, now);
          if (next.part !== part) changed.set(id, next.part);
          incomplete ||= next.incomplete;
        }
      }
      for (const part of changed.values()) this.put(part);
      this.driver?.put({ it: "heard" });
      if (incomplete) this.driver?.put({ it: "incomplete", unseen: true });
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

const serverNow = (): number => Date.now() + clockSkew.peek();

function byPlace(one: string, other: string): number {
  const [a, b] = [placeOf(one), placeOf(other)];
  return a.epoch - b.epoch || a.seq - b.seq;
}
