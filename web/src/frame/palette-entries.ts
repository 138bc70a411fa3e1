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

/** Commands that fit, best first, and runs that fit. With nothing typed: the page's own commands first, and the newest runs. */
export function sections(typed: string, commands: readonly Command[], runs: readonly RunShown[]): Section[] {
  const wanted = typed.trim();
  const fitting = commands
    .map((command) => ({ command, found: fuzzy(wanted, command.label) }))
    .filter((one): one is { command: Command; found: NonNullable<typeof one.found> } => one.found !== null)
    .sort((a, b) => b.found.score - a.found.score)
    .slice(0, wanted === "" ? commands.length : MOST_COMMANDS)
    .map(({ command, found }): Entry => ({ kind: "command", id: `c ${command.group} ${command.label}`, command, at: found.at }));
  const known = runsThatFit(wanted, runs).slice(0, wanted === "" ? 5 : MOST_RUNS).map((run): Entry => ({ kind: "run", id: `r ${run.workflow_id}`, run }));
  const parts: Section[] = [
    { title: "Commands", entries: fitting },
    { title: wanted === "" ? "Newest runs" : "Runs", entries: known },
  ];
  // Who types an id or a name of a run means the run; who types a command gets it first.
  const runFirst = wanted !== "" && runs.some((run) => run.workflow_id.toLowerCase().startsWith(wanted.toLowerCase()) || run.name.toLowerCase().startsWith(wanted.toLowerCase()));
  return (runFirst ? parts.reverse() : parts).filter((part) => part.entries.length > 0);
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
