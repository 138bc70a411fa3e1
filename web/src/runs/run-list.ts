// The list as it is known here: the newest page is asked for again and again, and so is the page in view; older ones as one gets there.
import { batch, effect, signal, type ReadonlySignal } from "@preact/signals";

import { get, getTagged, type Tagged } from "../api/client";
import type { RunShown } from "../api/types";
import { type ListFeed, pollList } from "../live/list";
import { askedOf, type Filters, isSearch, queryOf } from "./filters";
import { type Loaded, withPage } from "./loaded";

export const PAGE = 50;
const OLDER = 100;
/** How many runs a search looks at before it answers, whatever it has found. */
export const LOOKED_AT = 5000;

export type Older =
  | { kind: "idle" }
  | { kind: "loading" }
  | { kind: "failed"; error: unknown };

/** What a search has looked at without filling a page, since it last filled one. */
export interface Looked {
  runs: number;
}

export interface RunList {
  /** What is known; null until the first answer. */
  readonly loaded: ReadonlySignal<Loaded | null>;
  /** The filters that what is known answers. */
  readonly of: ReadonlySignal<Filters>;
  readonly error: ReadonlySignal<unknown>;
  readonly asOf: ReadonlySignal<number | null>;
  /** True while what is shown answers other filters than those asked for. */
  readonly asking: ReadonlySignal<boolean>;
  readonly older: ReadonlySignal<Older>;
  /** Set while the last page of a search came back short and the list goes on behind it. */
  readonly looked: ReadonlySignal<Looked | null>;
  ask(filters: Filters): void;
  loadOlder(): Promise<void>;
  /** Keep these rows up to date too: `before` is the place above the first of them. */
  see(before: number | null, count: number): void;
  refresh(): Promise<void>;
  close(): void;
}

interface Answer {
  filters: Filters;
  before: number | null;
  runs: RunShown[];
  next: number | null;
}

/** Watch the list until it is closed. `start`: what was known when the page was left, to be there at once when one comes back. */
export function watchRuns(filters: Filters, start: Loaded | null = null): RunList {
  const loaded = signal<Loaded | null>(start);
  const of = signal(filters);
  const older = signal<Older>({ kind: "idle" });
  const looked = signal<Looked | null>(null);
  let asked = filters;
  let abort = new AbortController();
  let seen: { before: number | null; limit: number } = { before: null, limit: PAGE };
  let middle: ListFeed<Answer> | null = null;
  let stopMiddle = () => {};

  const page = (before: number | null, limit: number) => {
    const wanted = asked;
    return async (tag: string | null, signal_: AbortSignal): Promise<Tagged<Answer>> => {
      const { answer, tag: next } = await getTagged("/workflow/runs", tag, { query: queryFor(wanted, before, limit), signal: signal_ });
      return { answer: answer && { filters: wanted, before, runs: answer.runs, next: answer.next }, tag: next };
    };
  };
  const queryFor = (wanted: Filters, before: number | null, limit: number) => ({
    ...askedOf(wanted, Date.now()), limit, ...(before === null ? {} : { cursor: before }),
  });

  /** Put an answer into what is known; one to other filters begins it anew. */
  function take(answer: Answer): void {
    if (answer.filters !== asked) return;
    batch(() => {
      const fresh = of.peek() !== answer.filters && !sameFilters(of.peek(), answer.filters);
      if (fresh) {
        of.value = answer.filters;
        older.value = { kind: "idle" };
      }
      const known = fresh ? null : loaded.peek();
      loaded.value = withPage(known, answer);
      if (known === null) note(answer, PAGE);
    });
  }

  function note(answer: { runs: readonly RunShown[]; next: number | null }, limit: number): void {
    const short = answer.next !== null && answer.runs.length < limit && isSearch(of.peek());
    looked.value = short ? { runs: (looked.peek()?.runs ?? 0) + LOOKED_AT } : null;
  }

  const head = pollList(page(null, PAGE));
  const stopHead = effect(() => {
    const answer = head.data.value;
    if (answer) take(answer);
  });

  function leaveMiddle(): void {
    stopMiddle();
    middle?.close();
    stopMiddle = () => {};
    middle = null;
  }

  return {
    loaded, of, older, looked, error: head.error, asOf: head.asOf, asking: head.asking,
    ask(next) {
      if (sameFilters(next, asked)) return;
      asked = next;
      abort.abort();
      abort = new AbortController();
      looked.value = null;
      leaveMiddle();
      seen = { before: null, limit: PAGE };
      void head.ask(page(null, PAGE));
    },
    async loadOlder() {
      const known = loaded.peek();
      if (known === null || known.next === null || older.peek().kind === "loading" || asked !== of.peek()) return;
      const mine = abort;
      older.value = { kind: "loading" };
      const before = known.next;
      try {
        const answer = await get("/workflow/runs", { query: queryFor(asked, before, OLDER), signal: mine.signal });
        batch(() => {
          older.value = { kind: "idle" };
          // The list began anew in the meantime.
          if (loaded.peek()?.next !== before) return;
          loaded.value = withPage(loaded.peek(), { before, runs: answer.runs, next: answer.next });
          note(answer, OLDER);
        });
      } catch (error) {
        older.value = mine.signal.aborted ? { kind: "idle" } : { kind: "failed", error };
      }
    },
    see(before, count) {
      const limit = Math.min(200, Math.ceil(count / 50) * 50);
      if (before === seen.before && limit === seen.limit) return;
      seen = { before, limit };
      if (before === null) return leaveMiddle();
      if (middle !== null) return void middle.ask(page(before, limit));
      const feed = pollList(page(before, limit));
      middle = feed;
      stopMiddle = effect(() => {
        const answer = feed.data.value;
        if (answer) take(answer);
      });
    },
    refresh: async () => {
      await Promise.all([head.refresh(), middle?.refresh()]);
    },
    close() {
      abort.abort();
      stopHead();
      leaveMiddle();
      head.close();
    },
  };
}

/** Whether both ask for the same. */
export function sameFilters(a: Filters, b: Filters): boolean {
  return JSON.stringify(queryOf(a)) === JSON.stringify(queryOf(b));
}
