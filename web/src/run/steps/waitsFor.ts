// What a step waits for, by name where it has one: `the lock file:/x`.
import type { StepState } from "../../api/types";
import { resource } from "../../format/resources";

type Waiting = Pick<StepState, "waiting_for" | "waiting_on" | "why">;

/** What holds a step back, as the beginning of its line; null where the reason alone says it. */
export function waitsFor({ waiting_for, waiting_on, why }: Waiting): string | null {
  const { kind, name } = resource(waiting_on ?? "");
  switch (waiting_for) {
    case "lock": return kind === "lock" ? `waits for the lock ${name}` : kind === "place at" ? `waits for a place at ${name}` : "waits for a lock that another step holds";
    case "rate_limit": return kind === "rate limit" ? `rate limit ${name}` : "the rate limit is used up";
    case "breaker": return kind === "breaker" ? `breaker of ${name} is open` : "the circuit breaker is open after many failures";
    case "throttled": return why ? `throttled: ${why}` : kind === "load of" ? `waits for the load of ${name} to go down` : "waits for the load to go down";
    case "retry": return kind === "retries of" ? `retries of ${name} are spread, retry` : null;
    default: return null;
  }
}

export interface HeldBy {
  runId: string;
  step: string;
  since: string;
  forRun: boolean;
  /** How many hold it besides. */
  others: number;
}

/** Who holds what the step waits for: the one who has it longest. */
export function heldBy(step: Pick<StepState, "waiting_for" | "held_by">): HeldBy | null {
  const [first, ...others] = step.held_by ?? [];
  if (step.waiting_for !== "lock" || first === undefined) return null;
  return { runId: first.workflow_id, step: first.step, since: first.since, forRun: first.for_run ?? false, others: others.length };
}
