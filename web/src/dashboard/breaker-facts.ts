// How breakers stand, in words and in order.
import { clock } from "../format/durations";
import { countdown } from "../run/steps/countdown";
import type { Breaker } from "./answer";

const CLOSED_LAST = { open: 0, half_open: 1, closed: 2 } as const;

/** What holds work back first, those set by hand before the others. */
export const inOrder = (breakers: readonly Breaker[]): Breaker[] =>
  [...breakers].sort((a, b) => Number(b.forced !== null) - Number(a.forced !== null) || CLOSED_LAST[a.state] - CLOSED_LAST[b.state] || a.name.localeCompare(b.name));

/** Since when it stands so, when it is probed next, and what it counted. */
export function factsOf(breaker: Breaker, at: number): string[] {
  const facts: string[] = [];
  const since = breaker.changedAt ?? breaker.openedAt;
  if (since !== null) facts.push(`for ${clock(at - Date.parse(since))}`);
  if (breaker.forced === null && breaker.state === "open" && breaker.nextProbeAt !== null) {
    const leftMs = Date.parse(breaker.nextProbeAt) - at;
    facts.push(leftMs > 0 ? `next probe in ${countdown(leftMs)}` : "the next call probes it");
  }
  if (breaker.state === "half_open") facts.push(breaker.probesInFlight > 0 ? (breaker.probesInFlight === 1 ? "a probe is under way" : `${breaker.probesInFlight} probes are under way`) : "the next call probes it");
  facts.push(`${breaker.failures.toLocaleString("en")} of ${breaker.calls.toLocaleString("en")} ${breaker.calls === 1 ? "call" : "calls"} failed`);
  if (breaker.consecutiveFailures > 1) facts.push(`the last ${breaker.consecutiveFailures} in a row`);
  if (breaker.rejected > 0) facts.push(`${breaker.rejected.toLocaleString("en")} kept back`);
  return facts;
}
