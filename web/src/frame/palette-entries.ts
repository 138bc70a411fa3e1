// What the command palette offers for what is typed; the asking is run-search.ts's.
import type { RunShown } from "../api/types";
import { fuzzy } from "./fuzzy";

export interface Command {
  label: string;
  /** Its key, if it has one. */
  keys: string | null;
  group: string;
  act: () => void;
}

export type Entry =
  | { kind: "command"; id: string; command: Command; at: number[] }
  | { kind: "run"; id: string; run: RunShown };

export interface Section {
  title: string;
  entries: Entry[];
}

const MOST_COMMANDS = 8;
const MOST_RUNS = 8;

/**
 * Commands that fit, best first, and runs that fit. With nothing typed: the page's own commands first, and the newest runs.
 * `held` are the ids of entries, from the first one on, that keep their places: what arrives late comes below them.
 */
export function sections(typed: string, commands: readonly Command[], runs: readonly RunShown[], held: readonly string[] = []): Section[] {
  const wanted = typed.trim();
  const fitting = commands
    .map((command) => ({ command, found: fuzzy(wanted, command.label) }))
    .filter((one): one is { command: Command; found: NonNullable<typeof one.found> } => one.found !== null)
    .sort((a, b) => b.found.score - a.found.score)
    .slice(0, wanted === "" ? commands.length : MOST_COMMANDS)
    .map(({ command, found }): Entry => ({ kind: "command", id: `c ${command.group} ${command.label}`, command, at: found.at }));
  const most = wanted === "" ? 5 : MOST_RUNS;
  const known = runsThatFit(wanted, runs)
    .map((run): Entry => ({ kind: "run", id: `r ${run.workflow_id}`, run }))
    .filter((entry, index) => index < most || held.includes(entry.id));
  const parts: Section[] = [
    { title: "Commands", entries: fitting },
    { title: wanted === "" ? "Newest runs" : "Runs", entries: known },
  ];
  // Who types an id or a name of a run means the run; who types a command gets it first.
  const runFirst = wanted !== "" && runs.some((run) => run.workflow_id.toLowerCase().startsWith(wanted.toLowerCase()) || run.name.toLowerCase().startsWith(wanted.toLowerCase()));
  return below(held, (runFirst ? parts.reverse() : parts).filter((part) => part.entries.length > 0));
}

/** The same entries: those that are held first, as they stood, and then the others. */
function below(held: readonly string[], parts: readonly Section[]): Section[] {
  const kept: { of: Section; entries: Entry[] }[] = [];
  for (const id of held) {
    const of = parts.find((part) => part.entries.some((entry) => entry.id === id));
    const entry = of?.entries.find((one) => one.id === id);
    // What no longer fits has no place.
    if (!of || !entry) continue;
    const last = kept.at(-1);
    if (last?.of === of) last.entries.push(entry);
    else kept.push({ of, entries: [entry] });
  }
  const last = kept.at(-1);
  for (const of of [...parts].sort((a, b) => Number(b === last?.of) - Number(a === last?.of))) {
    const others = of.entries.filter((entry) => !held.includes(entry.id));
    if (last && last.of === of) last.entries.push(...others);
    else if (others.length > 0) kept.push({ of, entries: others });
  }
  return kept.map(({ of, entries }, index) => {
    const before = kept.slice(0, index).some((one) => one.of === of);
    return { title: before ? `More ${of.title.toLowerCase()}` : of.title, entries };
  });
}

/** Where the chosen entry is: the first one until another was moved to, and what stands in its place where it is gone. */
export function placeOf(chosen: { id: string; at: number } | null, entries: readonly Entry[]): number {
  if (chosen === null) return Math.min(0, entries.length - 1);
  const at = entries.findIndex((entry) => entry.id === chosen.id);
  return at >= 0 ? at : Math.min(chosen.at, entries.length - 1);
}

/** As the server searches: the text in id, name, host or template. */
export function runsThatFit(wanted: string, runs: readonly RunShown[]): RunShown[] {
  const text = wanted.toLowerCase();
  return runs.filter((run) => [run.workflow_id, run.name, run.host, run.template_id].some((part) => part?.toLowerCase().includes(text)));
}

/** Newest first, each once: an answer replaces what was known of the same run. */
export function merged(known: readonly RunShown[], answer: readonly RunShown[], most = 200): RunShown[] {
  const all = new Map([...known, ...answer].map((run) => [run.workflow_id, run]));
  return [...all.values()].sort((a, b) => b.start_time.localeCompare(a.start_time)).slice(0, most);
}
