// What was typed, kept in this tab: it survives a reload, going elsewhere and back, and the end of the session.
import { signal, type Signal } from "@preact/signals";

import { emptyDraft, type Draft } from "./draft";
import type { Sent } from "./submission";

const PREFIX = "perdure.start.";
const PAUSE_MS = 200;

function read<T>(name: string): T | null {
  try {
    const text = sessionStorage.getItem(PREFIX + name);
    return text === null ? null : (JSON.parse(text) as T);
  } catch {
    return null;
  }
}

function write(name: string, value: unknown): void {
  try {
    if (value === null) sessionStorage.removeItem(PREFIX + name);
    else sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // A private window, or one that is full: then it lives as long as the page.
  }
}

const kept = new Map<string, Signal<Draft | null>>();
const unwritten = new Map<string, Draft | null>();
let timer = 0;

function flush(): void {
  clearTimeout(timer);
  for (const [name, draft] of unwritten) write(name, draft);
  unwritten.clear();
}
addEventListener("pagehide", flush);

/** The draft under a name; null when nothing was written yet. */
export function draftNamed(name: string): Signal<Draft | null> {
  let found = kept.get(name);
  if (found === undefined) {
    found = signal(read<Draft>(`draft.${name}`));
    kept.set(name, found);
  }
  return found;
}

/** Change a draft; written soon, not at every key. */
export function keepDraft(name: string, draft: Draft | null): void {
  draftNamed(name).value = draft;
  unwritten.set(`draft.${name}`, draft);
  clearTimeout(timer);
  timer = window.setTimeout(flush, PAUSE_MS);
}

/** Where the draft is kept whose place another one took. */
export const replacedOf = (name: string): string => `before.${name}`;

/** Put another draft, or with null a fresh one, in the place of what was typed, which is kept to be brought back. */
export function replaceDraft(name: string, next: Draft | null): void {
  const shown = draftNamed(name).peek();
  if (shown !== null && !alike(shown, emptyDraft()) && (next === null || !alike(shown, next))) keepDraft(replacedOf(name), shown);
  keepDraft(name, next);
}

/** Bring back what was replaced; what stood in its place is kept in turn. */
export function undoReplace(name: string): void {
  const before = draftNamed(replacedOf(name)).peek();
  if (before === null) return;
  forgetReplaced(name);
  replaceDraft(name, before);
}

export const forgetReplaced = (name: string): void => keepDraft(replacedOf(name), null);

/** Whether they say the same; the names of the steps in the form are made anew whenever a workflow is read. */
function alike(one: Draft, other: Draft): boolean {
  const said = (draft: Draft) => JSON.stringify({ ...draft, steps: draft.steps.map(({ id: _id, ...step }) => step) });
  return said(one) === said(other);
}

/** What was sent and is not answered; one for each form, so that they do not forget each other's. */
export const sentMemory = (name: string) => ({
  read: () => read<Sent>(`sent.${name}`),
  write: (sent: Sent | null) => write(`sent.${name}`, sent),
});
