// What the page says about the run as a whole, in the words that existing users know.
import type { State } from "../../api/types";
import { counted, countedOf } from "../../format/counts";
import { duration } from "../../format/durations";
import { shownRunStatus, STATUSES, type Status } from "../../theme/statuses";

/** How the page came to show what it shows: said once, in place of the quiet line. */
export type Arrival = "started" | "reconnected" | null;

/** A run is new to who started it for this long. */
export const JUST_STARTED_MS = 15_000;

/** `step 3 of 8`; in a run that branches the number of those under way. */
export function place(state: State): string {
  const { in_progress: busy, total } = state.counts;
  if (busy > 1) return countedOf(busy, total, "step");
  return `step ${(state.current_step ?? 0) + 1} of ${total}`;
}

/** The quiet line of a run that goes on; null when it has ended. */
export function quietLine(state: State, arrival: Arrival): string | null {
  if (!state.active) return null;
  const where = place(state);
  const many = state.counts.in_progress > 1;
  if (arrival === "started") return `Started on the server as ${state.workflow_id}. It goes on if you close this page.`;
  if (state.stopping) return `Stopping on the server: ${where}. You can close this page.`;
  if (state.status === "paused") {
    return state.counts.in_progress > 0
      ? `Paused: ${where} ${many ? "still run" : "still runs"} to the end, then nothing begins. You can close this page.`
      : `Paused at ${where}. Nothing begins until it is resumed. You can close this page.`;
  }
  if (arrival === "reconnected") return `Reconnected: ${where}; you can close this page.`;
  if (state.counts.in_progress === 0) return `${capital(where)} ${waitsOf(state)} on the server; you can close this page.`;
  return `${capital(where)} ${many ? "are" : "is"} running on the server; you can close this page.`;
}

function waitsOf(state: State): string {
  const step = state.steps.find((one) => one.index === state.current_step);
  return step?.waiting_for === "signal" ? "waits for an answer" : "waits";
}

/** In place of the quiet line while the server is away: what is shown is old, the run is not lost. */
export const awayLine = (asOf: string | null): string =>
  `${asOf === null ? "The server cannot be reached." : `The server cannot be reached: this is how it was at ${asOf}.`} The run goes on there; this page follows again by itself.`;

/** What became of the run: `8 steps in 4 m 12 s, 1 retry`. Null while it goes on. */
export function summaryLine(state: State): string | null {
  if (state.active || !state.end_time) return null;
  const { total, completed, failed, skipped, cancelled } = state.counts;
  const took = duration(Date.parse(state.end_time) - Date.parse(state.start_time));
  const retries = state.steps_truncated ? 0 : state.steps.reduce((sum, step) => sum + retriesOf(step.failures, step.status), 0);
  const extra = [retries > 0 ? counted(retries, "retry", "retries") : null, skipped > 0 ? `${skipped} skipped` : null];
  const tail = extra.filter(Boolean).map((part) => `, ${part}`).join("");
  switch (state.status) {
    case "completed":
      return `${counted(total, "step", "steps")} in ${took}${tail}`;
    case "failed":
      return `Failed after ${took}: ${countedOf(completed, total, "step")} completed, ${failed} failed${tail}`;
    default:
      return `Stopped after ${took}: ${countedOf(completed, total, "step")} completed, ${cancelled} not done${tail}`;
  }
}

/** Failures that another attempt followed. */
const retriesOf = (failures: number, status: string): number => Math.max(0, failures - (status === "failed" ? 1 : 0));

/** What can be done with a run that has ended. */
export function nextWords(state: State): string | null {
  switch (state.status) {
    case "completed": return "Restart it, or fork it from a step with other parameters.";
    case "failed": return "Results before the failure are kept: retry goes on from the failed step.";
    case "cancelled": return "Results so far are kept: retry goes on from where it stopped.";
    default: return null;
  }
}

/** What is said when a run that is watched ends; null: it did not. */
export function announcement(before: State, after: State): string | null {
  if (before.status === after.status) return null;
  switch (after.status) {
    case "cancelled": return "Stopped.";
    case "failed": {
      const step = after.steps.find((one) => one.key === after.error?.step);
      return `Failed${step ? ` at ${step.label || step.key}` : ""}: ${after.error?.message || "see the step"}`;
    }
    case "completed": return `Completed: ${summaryLine(after) ?? "all steps"}.`;
    default: return null;
  }
}

const TITLE_MARKS: Partial<Record<Status, string>> = {
  pending: "○", running: "▶", paused: "❙❙", stopping: "■", completed: "✓", failed: "✕", cancelled: "■",
};

/** The title of the browser's tab: mark, percent while it goes on, name. */
export function pageTitle(state: State, percent: number): string {
  const status = shownRunStatus(state);
  const far = state.active ? ` ${Math.floor(percent)} %` : "";
  return `${TITLE_MARKS[status] ?? STATUSES[status].word}${far} ${state.name}`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
