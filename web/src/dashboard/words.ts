// Figures in words.
import { duration } from "../format/durations";
import type { Breaker, RateLimit, Trend } from "./answer";

export const UNKNOWN = "–";

/** `0 %`, `0.4 %`, `12 %` of a share from 0 to 1. */
export function percent(share: number | null): string {
  if (share === null) return UNKNOWN;
  const of100 = share * 100;
  return of100 > 0 && of100 < 10 ? `${Math.max(0.1, Math.round(of100 * 10) / 10)} %` : `${Math.round(of100)} %`;
}

/** `0`, `0.2`, `14`, `1,240` a minute. */
export function rate(perMinute: number): string {
  if (perMinute > 0 && perMinute < 10) return String(Math.max(0.1, Math.round(perMinute * 10) / 10));
  return Math.round(perMinute).toLocaleString("en");
}

export const took = (ms: number | null): string => (ms === null ? UNKNOWN : duration(ms));

/** `10,000 or more` where the server stopped counting. */
export const countedTo = (count: number, atMost: number): string => `${count.toLocaleString("en")}${count >= atMost ? " or more" : ""}`;

/** What a trend is called, and its value. */
export function figureOf(trend: Pick<Trend, "name" | "now">): { label: string; value: string } {
  const { name, now } = trend;
  switch (name) {
    case "per_minute": return { label: "Steps a minute", value: now === null ? UNKNOWN : rate(now) };
    case "completion_rate": return { label: "Completed", value: percent(now) };
    case "failure_rate": return { label: "Failed", value: percent(now) };
    case "average_ms": return { label: "Average duration", value: took(now) };
    case "p50_ms": return { label: "Half take at most", value: took(now) };
    case "p95_ms": return { label: "95 % take at most", value: took(now) };
    case "retried": return { label: "Retries", value: now === null ? UNKNOWN : now.toLocaleString("en") };
    case "lost": return { label: "Attempts lost", value: now === null ? UNKNOWN : now.toLocaleString("en") };
  }
}

/** `12 % more than before`; null where there is nothing to compare with. */
export function changeOf(trend: Pick<Trend, "change" | "now" | "before">): string | null {
  if (trend.now === null || trend.before === null) return null;
  if (trend.now === trend.before) return "as before";
  if (trend.change === null) return "none before";
  const by = Math.round(Math.abs(trend.change) * 100);
  if (by === 0) return "as before";
  const way = trend.change > 0 ? "more" : "less";
  return by >= 1000 ? `over ten times ${way} than before` : `${by} % ${way} than before`;
}

/** Words and mark of a breaker's state; by hand or by itself. */
export function breakerLook(breaker: Pick<Breaker, "state" | "forced">): { word: string; tone: "green" | "red" | "amber"; mark: "tick" | "cross" | "clock" } {
  const by = breaker.forced === null ? "" : ", set by hand";
  switch (breaker.state) {
    case "closed": return { word: `closed${by}`, tone: "green", mark: "tick" };
    case "open": return { word: `open${by}`, tone: "red", mark: "cross" };
    case "half_open": return { word: `half-open${by}`, tone: "amber", mark: "clock" };
  }
}

/** `40 in 1.0 s`; null where it only obeys what it calls. */
export function limitWords(limit: Pick<RateLimit, "limit" | "perMs">): string | null {
  return limit.limit === null || limit.perMs === null ? null : `${limit.limit.toLocaleString("en")} in ${duration(limit.perMs)}`;
}
