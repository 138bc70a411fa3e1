// The line below a step's title: how far it is, what it gave back, or what it waits for and until when.
import type { State, StepState } from "../../api/types";
import { shownStepStatus } from "../../theme/statuses";
import { resultLine } from "./resultLine";
import { waitsFor } from "./waitsFor";

export interface Line {
  tone: "muted" | "plain" | "amber" | "red";
  text: string;
  /** When the wait ends; shown as a countdown behind the text. */
  untilMs: number | null;
  /** The text in place of countdown and `text` once the time has come. */
  due: string;
  /** What follows, set apart by dots. */
  after: string[];
}

export interface Around {
  runStatus: State["status"];
  /** The titles of the needs that are not satisfied, as `unmetNeeds` gives them. */
  needs: string;
}

const line = (tone: Line["tone"], text: string, after: readonly (string | null | undefined)[] = []): Line => ({
  tone, text, untilMs: null, due: "", after: after.filter((part): part is string => Boolean(part)),
});

export function secondLine(step: StepState, around: Around): Line {
  const held = around.runStatus === "paused";
  switch (shownStepStatus(step)) {
    case "waiting":
      return waitingLine(step, held);
    case "ready":
      if (held) return line("amber", "held while the run is paused", [tries(step), step.error?.message]);
      return line("muted", "waits for a free worker", [tries(step), step.failures > 0 ? step.error?.message : null]);
    case "stopping":
      return line("muted", "stopping", [step.progress?.message]);
    case "in_progress":
      return line("plain", step.progress?.message || "in progress", [step.progress?.detail?.split("\n", 1)[0], tries(step)]);
    case "completed":
      return line("muted", resultLine(step.result) || "completed", [retried(step.failures)]);
    case "failed":
      return line("red", firstLine(step.error?.message ?? step.result?.error ?? "failed"), [tried(step)]);
    case "skipped":
      return line("muted", resultLine(step.result) || "skipped");
    case "cancelled":
      return line("muted", step.start_time ? step.error?.message || "stopped" : "cancelled before it began");
    default:
      return line("muted", around.needs === "" ? "not begun" : `needs ${around.needs}`);
  }
}

/** What a waiting step waits for. The countdown is to when it goes on, or looks again. */
function waitingLine(step: StepState, held: boolean): Line {
  const untilMs = step.until ? Date.parse(step.until) : null;
  const on = (text: string, due: string, after: readonly (string | null | undefined)[] = []): Line => {
    const paused = held && step.waiting_for !== "signal" ? "held while the run is paused" : null;
    return { ...line("amber", text, [...after, paused]), untilMs, due };
  };
  const what = waitsFor(step) ?? "";
  const until = (words: string): string => (untilMs === null ? what : `${what} · ${words} in`);
  const failed = step.failures > 0 ? firstLine(step.error?.message ?? "") : null;
  switch (step.waiting_for) {
    case "retry":
      return on(untilMs === null ? "waits for its retry" : `${what || "retry"} in`, "retry is due", [nextTry(step), firstLine(step.error?.message ?? "")]);
    case "delay":
      return on(untilMs === null ? "waits for its time" : "begins in", "its time has come", [tries(step)]);
    case "lock":
      return on(until("gives up"), `${what} · its time to wait is over`, [failed]);
    case "rate_limit":
      return on(until("turn"), `${what} · its turn has come`, [failed]);
    case "breaker":
      return on(until("probe"), `${what} · asks again`, [failed]);
    case "throttled":
      return on(until("looks again"), `${what} · looks again`, [failed]);
    case "signal": {
      const asked = step.progress?.message || "waits for an answer";
      return on(untilMs === null ? asked : `${asked} · time to answer:`, `${asked} · the time to answer is over`);
    }
    default:
      return on(untilMs === null ? "waits" : "waits for", "goes on");
  }
}

/** `attempt 3 of 5`: the try that comes next. Tries that were lost or handed back are not counted, as the server does. */
export function nextTry(step: Pick<StepState, "failures" | "max_attempts">): string {
  return step.max_attempts ? `attempt ${step.failures + 1} of ${step.max_attempts}` : `attempt ${step.failures + 1}`;
}

const tries = (step: StepState): string | null => (step.failures > 0 ? nextTry(step) : null);
const tried = (step: StepState): string | null => (step.failures > 1 ? `after ${step.failures} attempts` : null);
const retried = (failures: number): string | null => (failures === 0 ? null : failures === 1 ? "after 1 retry" : `after ${failures} retries`);
export const firstLine = (text: string): string => text.trim().split("\n", 1)[0] ?? "";

export const titleOf = (step: Pick<StepState, "label" | "key">): string => step.label || step.key;

const NAMED = 3;

/** The titles of what a step that has not begun still needs: `Scan, Build and 4 more`. */
export function unmetNeeds(step: StepState, byKey: (key: string) => StepState | undefined): string {
  const open = step.needs.filter((key) => !isSatisfied(byKey(key)));
  const named = (open.length > 0 ? open : step.needs).slice(0, NAMED).map((key) => { const found = byKey(key); return found ? titleOf(found) : key; });
  const more = (open.length > 0 ? open.length : step.needs.length) - named.length + Math.max(0, step.needs_total - step.needs.length);
  return more > 0 ? `${named.join(", ")} and ${more} more` : named.join(", ");
}

const isSatisfied = (step: StepState | undefined): boolean => step?.status === "completed" || step?.status === "skipped";
