// Steps as rows of a timeline: their attempts, and what they waited for.
import type { StepOfPage } from "../../api/types";
import { duration } from "../../format/durations";
import { shortTime } from "../../format/times";
import { attemptLines, type AttemptLine, type WaitLine } from "../panel/attempts";
import type { RunPhase } from "../trace/entries";

export interface TimelineRow {
  step: StepOfPage;
  lines: (AttemptLine | WaitLine)[];
}

/** Shorter waits than this are how long the machinery takes, not worth a mark. */
const LEAST_WAIT = 20;

/** The rows of all steps. `started` is when the run was. */
export function timelineRows(steps: readonly StepOfPage[], phases: readonly RunPhase[], started: number): TimelineRow[] {
  const ends = new Map(steps.map((step) => [step.key, step.end_time ? Date.parse(step.end_time) : null]));
  return steps.map((step) => ({ step, lines: linesOf(step, ends, phases, started) }));
}

function linesOf(step: StepOfPage, ends: ReadonlyMap<string, number | null>, phases: readonly RunPhase[], started: number) {
  const lines = attemptLines({ attempts: step.attempts ?? [] }, step).filter((line) => line.kind === "wait" || line.start !== null);
  const ready = readyAt(step, ends, started);
  const first = lines[0];
  if (first?.kind === "wait" && Number.isNaN(first.from)) first.from = ready ?? started;
  // The pages have the newest ten attempts: before the first of more than those there were others, not a wait.
  else if (first?.kind === "attempt" && first.attempt <= 1 && ready !== null && first.start! - ready > LEAST_WAIT) {
    lines.unshift({ kind: "wait", words: "waited for its turn", short: "turn", why: null, from: ready, to: first.start!, until: null });
  }
  return lines.flatMap<AttemptLine | WaitLine>((line) => (line.kind === "attempt" ? [line] : withoutEnded(line, phases)));
}

/** When nothing that it needs was missing any more, as far as that is known. */
function readyAt(step: StepOfPage, ends: ReadonlyMap<string, number | null>, started: number): number | null {
  if (step.needs.length === 0) return step.needs_total === 0 ? started : null;
  if (step.needs_total > step.needs.length) return null;
  let latest = started;
  for (const key of step.needs) {
    const end = ends.get(key);
    if (end === null || end === undefined) return null;
    latest = Math.max(latest, end);
  }
  return latest;
}

/** A wait without the time in which the run had ended: then nothing waited. */
function withoutEnded(wait: WaitLine, phases: readonly RunPhase[]): WaitLine[] {
  let parts: WaitLine[] = [wait];
  for (const phase of phases) {
    if (phase.kind !== "ended") continue;
    parts = parts.flatMap((part) => {
      const to = part.to ?? Infinity;
      const until = phase.to ?? Infinity;
      // The end of a run and that of its last attempt are one moment, told with different exactness.
      if (phase.from >= to || until <= part.from) return [part];
      const left: WaitLine[] = [];
      if (phase.from - part.from > LEAST_WAIT) left.push({ ...part, to: phase.from });
      if (to - until > LEAST_WAIT) left.push({ ...part, from: until });
      return left;
    });
  }
  return parts;
}

export const startOf = (line: AttemptLine | WaitLine): number => (line.kind === "wait" ? line.from : line.start!);
export const endOf = (line: AttemptLine | WaitLine): number | null => (line.kind === "wait" ? line.to : line.end);

/** The time that all rows take: from the start of the run to the last end, or now. */
export function wholeTime(rows: readonly TimelineRow[], started: number, now: number, goesOn: boolean): { from: number; to: number } {
  let from = started;
  let to = goesOn ? now : started;
  for (const { lines } of rows) {
    for (const line of lines) {
      from = Math.min(from, startOf(line));
      to = Math.max(to, endOf(line) ?? now);
    }
  }
  return { from, to };
}

/** Why something waits, and when that ends where it is known. */
export function waitWords(wait: WaitLine, now: number): string {
  const why = wait.why === null ? "" : `: ${wait.why.trim().split("\n", 1)[0]}`;
  return `${wait.words}${why}${wait.until === null ? "" : `, until ${shortTime(wait.until, now)}`}`;
}

/** The same as short as it may stand in the bar itself. */
export function waitLabel(wait: WaitLine, now: number): string {
  return wait.until === null ? wait.short : `${wait.short} · until ${shortTime(wait.until, now)}`;
}

/** What one bar says. */
export function lineWords(line: AttemptLine | WaitLine, now: number): string {
  const took = duration((endOf(line) ?? now) - startOf(line));
  if (line.kind === "wait") return `${waitWords(line, now)}, ${took}${line.until !== null && line.until > now ? `, ${duration(line.until - now)} left` : ""}`;
  return `attempt ${line.attempt} ${line.words}, ${took}`;
}

/** What follows the name of a row, for those who do not see it. */
export function rowWords(row: TimelineRow, status: string, now: number): string {
  const parts = row.lines.map((line) => lineWords(line, now));
  return `${status}${parts.length > 0 ? `: ${parts.join("; ")}` : ""}`;
}
