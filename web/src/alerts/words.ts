// Alerts in words, and where what they are about is shown.
import { duration } from "../format/durations";
import { paths } from "../router";
import type { Alert } from "./answer";

const NAMES: Record<string, string | undefined> = {
  failure_rate: "Many steps fail",
  failures_in_a_row: "Failures in a row",
  queue_length: "Long queue",
  queue_deaf: "Workers do not take steps",
  queue_without_worker: "No worker for a queue",
  worker_lost: "Worker lost",
  host_critical: "Host used up",
  throttled_long: "Held back by load for long",
  disk_nearly_full: "Disk nearly full",
  rate_limit_hits: "Rate limit holds much back",
  rate_limit_refusals: "Refused for calling too often",
  breaker_open: "Breaker opened",
  lock_wait: "Long wait for a lock",
  person_awaited: "Waits for a person",
  valkey_away: "Valkey is away",
};

/** What a rule is called; of a later release by its own name. */
export const ruleName = (rule: string): string => NAMES[rule] ?? rule.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());

/** Where one sees what an alert is about; null where there is no such place. */
export function placeOf(alert: Pick<Alert, "rule" | "subject" | "details">): { href: string; word: string } | null {
  const { workflowId, step } = alert.details as { workflowId?: unknown; step?: unknown };
  if (typeof workflowId === "string") {
    return typeof step === "string" ? { href: paths.step(workflowId, step), word: "See the step" } : { href: paths.run(workflowId), word: "See the run" };
  }
  switch (alert.rule) {
    case "queue_length": case "queue_deaf": case "queue_without_worker": case "worker_lost":
      return { href: paths.workers(), word: "See the workers" };
    case "failures_in_a_row":
      return alert.subject.startsWith("template:")
        ? { href: `${paths.runs()}?${new URLSearchParams({ status: "failed", template: alert.subject.slice("template:".length) })}`, word: "See its runs" }
        : { href: `${paths.runs()}?status=failed`, word: "See failed runs" };
    default:
      return alert.rule in NAMES ? { href: paths.dashboard(), word: "See the dashboard" } : null;
  }
}

/** A value in the unit of its rule. */
export function valueOf(value: number, unit: Alert["unit"]): string | null {
  switch (unit) {
    case "share": return `${Math.round(value * 100)} %`;
    case "count": return Math.round(value).toLocaleString("en");
    case "ms": return duration(value);
    case "yes": return null;
  }
}

/** `now 12, at most 40; from 5 on`; null where the rule knows but yes and no. */
export function valueWords(alert: Pick<Alert, "value" | "peak" | "threshold" | "unit" | "status">): string | null {
  const [value, peak, from] = [alert.value, alert.peak, alert.threshold].map((one) => valueOf(one, alert.unit));
  if (value === null || peak === null || from === null) return null;
  const shown = alert.status === "open" && value !== peak ? `${value}, ${peak} at its most` : alert.status === "open" ? value! : `${peak} at its most`;
  return `${shown} (alerts from ${from} on)`;
}

export const CHANGES = { opened: "opened", acknowledged: "acknowledged", resolved: "over" } as const;
