import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { Problem } from "../api/client";
import { me, may } from "../session";
import { actions } from "./catalogue";
import { faultsOf, type Known } from "./check";
import type { Draft } from "./draft";
import { draftNamed, keepDraft } from "./drafts";
import { focusPlace } from "./form/focus";
import { segments, type Faults } from "./form/pointer";
import { faultsOfProblem } from "./problems";

/** A fault that the server found, until what it is about changes. */
interface Refused {
  place: string;
  message: string;
  about: unknown;
}

export interface Editor {
  draft: Draft;
  change: (next: (draft: Draft) => Draft) => void;
  /** Everything that is wrong, before it is sent and by the server's words. */
  faults: Faults;
  /** Whether the user tried to start: then every fault shows. */
  tried: boolean;
  known: Known;
  isOpen: (stepId: string) => boolean;
  setOpen: (stepId: string, open: boolean) => void;
  /** Show a place, open what it is in, and put the focus there. */
  reveal: (place: string) => void;
  /** The place that was last to be shown. A list that does not draw all of its steps brings it into view itself. */
  wanted: { place: string } | null;
  /** Say that it is about to be sent. False, with the focus on the first fault, when it cannot be. */
  ready: () => boolean;
  refused: (problem: Problem, sent: Draft, stepIds: readonly string[]) => void;
}

/** What a form of this page does with its draft. `begin` is what it starts with; it is asked again when one of `from` changes, until something is typed. */
export function useEditor(name: string, begin: () => Draft, from: readonly unknown[] = []): Editor {
  const kept = draftNamed(name);
  const first = useMemo(begin, [name, ...from]);
  const draft = kept.value ?? first;
  const [tried, setTried] = useState(false);
  const [refusals, setRefusals] = useState<readonly Refused[]>([]);
  const [open, setOpenSteps] = useState<ReadonlySet<string>>(new Set());
  const [wanted, setWanted] = useState<{ place: string } | null>(null);
  const done = useRef<unknown>(null);
  const known: Known = { actions: actions.value ?? new Map(), may, role: me.value?.role ?? "viewer" };

  const local = useMemo(() => faultsOf(draft, known), [draft, known.actions, known.role]);
  const faults = useMemo(() => {
    const found: Record<string, string> = { ...local };
    for (const { place, message, about } of refusals) if (Object.is(partOf(draft, place), about)) found[place] ??= message;
    return found;
  }, [local, refusals, draft]);

  useLayoutEffect(() => {
    if (wanted === null || done.current === wanted) return;
    done.current = wanted;
    if (isDrawn(wanted.place)) focusPlace(document, wanted.place);
  });

  const setOpen = (stepId: string, isOpen: boolean) =>
    setOpenSteps((before) => {
      const next = new Set(before);
      if (isOpen) next.add(stepId);
      else next.delete(stepId);
      return next;
    });
  const reveal = (place: string) => {
    const [kind, id] = segments(place);
    if (kind === "steps" && id !== undefined) setOpen(id, true);
    setWanted({ place });
  };

  return {
    draft, faults, tried, known, setOpen, reveal, wanted,
    change: (next) => keepDraft(name, next(draftNamed(name).peek() ?? first)),
    isOpen: (stepId) => open.has(stepId),
    ready() {
      setTried(true);
      const place = firstPlace(local, draft);
      if (place !== null) reveal(place);
      return place === null;
    },
    refused(problem, sent, stepIds) {
      setTried(true);
      const found = faultsOfProblem(problem, sent.steps, stepIds);
      setRefusals(Object.entries(found).map(([place, message]) => ({ place, message, about: partOf(sent, place) })));
      const place = firstPlace(found, sent);
      if (place !== null && place !== "") reveal(place);
    },
  };
}

/** Whether the step that a place is in stands in the document; what is in no step always does. */
function isDrawn(place: string): boolean {
  const [kind, id] = segments(place);
  return kind !== "steps" || id === undefined || document.querySelector(`[data-place="/steps/${CSS.escape(id)}"]`) !== null;
}

/** The part of a draft that a fault is about. */
function partOf(draft: Draft, place: string): unknown {
  const [kind, id] = segments(place);
  if (kind === "steps" && id !== undefined) return draft.steps.find((step) => step.id === id);
  if (kind === "connection") return draft.connection;
  return draft;
}

/** The first fault in the order of the page; null when there is none. */
export function firstPlace(faults: Faults, draft: Draft): string | null {
  return sortedPlaces(faults, draft)[0] ?? null;
}

/** All places with a fault, in the order of the page. */
export function sortedPlaces(faults: Faults, draft: Draft): string[] {
  const order = new Map(draft.steps.map((step, index) => [step.id, index]));
  const rank = (place: string): number => {
    const [kind, id] = segments(place);
    if (kind === "connection" || kind === "name") return -2;
    if (kind === "steps") return id === undefined ? -1 : (order.get(id) ?? Infinity);
    return Infinity;
  };
  return Object.keys(faults).sort((a, b) => rank(a) - rank(b));
}
