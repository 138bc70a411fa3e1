// The entries of a trace in words, and which of them are wanted.
import type { TraceEntry } from "../../api/types";
import type { Status } from "../../theme/statuses";

export interface EntryLook {
  words: string;
  mark: Status;
}

/** What happened, as a sentence without its subject. A later server may know other kinds: they are shown by their name. */
export function entryLook(entry: TraceEntry): EntryLook {
  const ofStep = entry.key !== null;
  switch (entry.kind) {
    case "started": return { words: "run started", mark: "ready" };
    case "claimed": return { words: entry.attempt !== null && entry.attempt > 1 ? `attempt ${entry.attempt} began` : "began", mark: "ready" };
    case "completed": return { words: "completed", mark: "completed" };
    case "failed": return { words: "failed", mark: "failed" };
    case "waiting": return { words: entry.detail ? "failed, waits to try again" : "waits", mark: "waiting" };
    case "skipped": return { words: "skipped", mark: "skipped" };
    case "cancelled": return { words: "stopped", mark: "cancelled" };
    case "lost": return { words: "worker lost", mark: "failed" };
    case "handed_back": return { words: "handed back by its worker", mark: "ready" };
    case "paused": return { words: "run paused", mark: "paused" };
    case "resumed": return { words: "run resumed", mark: "ready" };
    case "stop_requested": return { words: "stop asked for", mark: "stopping" };
    case "signalled": return { words: "given its answer", mark: "ready" };
    case "retried": return { words: ofStep ? "retried, with all that depends on it" : "retried what failed", mark: "ready" };
    default: return { words: entry.kind.replaceAll("_", " "), mark: "pending" };
  }
}

/** Who asked for it, if anybody did. */
export function askedBy(entry: TraceEntry): string | null {
  const by = entry.detail?.["by"];
  return typeof by === "string" ? by : null;
}

/** Why, for what failed. */
export function reasonOf(entry: TraceEntry): string | null {
  const message = entry.detail?.["message"];
  return typeof message === "string" && message !== "" ? message : null;
}

/** What of the detail is not said in words already. */
export function restOf(entry: TraceEntry): Record<string, unknown> | null {
  const { by: _by, message: _message, ...rest } = entry.detail ?? {};
  if (rest["details"] && typeof rest["details"] === "object" && Object.keys(rest["details"]).length === 0) delete rest["details"];
  return Object.keys(rest).length > 0 ? rest : null;
}

export interface TraceFilter {
  kind: string | null;
  step: string | null;
  text: string;
}

export function wanted(entries: readonly TraceEntry[], filter: TraceFilter): readonly TraceEntry[] {
  const needle = filter.text.trim().toLowerCase();
  if (filter.kind === null && filter.step === null && needle === "") return entries;
  return entries.filter((entry) => (filter.kind === null || entry.kind === filter.kind)
    && (filter.step === null || entry.key === filter.step)
    && (needle === "" || textOf(entry).includes(needle)));
}

function textOf(entry: TraceEntry): string {
  return `${entryLook(entry).words} ${entry.kind} ${entry.key ?? ""} ${entry.status ?? ""} ${entry.detail ? JSON.stringify(entry.detail) : ""}`.toLowerCase();
}

/** The kinds there are, with how often. */
export function kindsOf(entries: readonly TraceEntry[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { kind } of entries) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].sort(([one], [other]) => one.localeCompare(other));
}

/** When the run was paused or had ended, in order. */
export interface RunPhase {
  kind: "paused" | "ended";
  from: number;
  /** Null: still. */
  to: number | null;
}

export function runPhases(entries: readonly TraceEntry[]): RunPhase[] {
  const phases: RunPhase[] = [];
  for (const entry of entries) {
    if (entry.status === null) continue;
    const at = Date.parse(entry.time);
    const last = phases[phases.length - 1];
    const open = last && last.to === null ? last : null;
    const kind = entry.status === "paused" ? "paused" : entry.status === "completed" || entry.status === "failed" || entry.status === "cancelled" ? "ended" : null;
    if (open && open.kind === kind) continue;
    if (open) open.to = at;
    if (kind) phases.push({ kind, from: at, to: null });
  }
  return phases;
}
