import type { ProgressItem } from "../../api/types";

/** More items than this are folded: those in hand and those that failed stay, the others are counted. */
export const SHOWN_WHOLE = 12;
const MOST_SHOWN = 24;

export interface Folded {
  shown: { item: ProgressItem; place: number }[];
  /** What is counted only, in the order they are said. */
  hidden: { state: ProgressItem["state"]; count: number }[];
  /** Of all, shown or not. */
  done: number;
  failed: number;
  total: number;
}

const ORDER: readonly ProgressItem["state"][] = ["completed", "active", "failed", "pending"];

/** The items of a checklist that are worth a line each. */
export function foldChecklist(items: readonly ProgressItem[], whole = false): Folded {
  const placed = items.map((item, place) => ({ item, place }));
  const wanted = whole || items.length <= SHOWN_WHOLE ? placed : placed.filter(({ item }) => item.state === "active" || item.state === "failed");
  const shown = whole ? wanted : wanted.slice(0, Math.max(SHOWN_WHOLE, MOST_SHOWN));
  const seen = new Set(shown.map(({ place }) => place));
  const hidden = ORDER.map((state) => ({ state, count: placed.filter(({ item, place }) => item.state === state && !seen.has(place)).length }));
  return {
    shown,
    hidden: hidden.filter(({ count }) => count > 0),
    done: items.filter((item) => item.state === "completed").length,
    failed: items.filter((item) => item.state === "failed").length,
    total: items.length,
  };
}

/** `12 completed, 40 pending`. */
export function hiddenWords(folded: Folded): string {
  return folded.hidden.map(({ state, count }) => `${count} ${state === "active" ? "in progress" : state}`).join(", ");
}

export type PhaseState = "completed" | "active" | "pending";

/** Where a phase stands: those before the one in hand are done. */
export function phaseState(place: number, active: number | null | undefined): PhaseState {
  if (typeof active !== "number") return "pending";
  return place < active ? "completed" : place === active ? "active" : "pending";
}
