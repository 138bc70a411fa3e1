// What the frame knows of alerts on every page: how many are open, and whether a critical one is new.
import { signal } from "@preact/signals";

import { getTagged, sessionEnded } from "../api/client";
import { backoffMs } from "../live/backoff";
import { onWake, seen } from "../live/waking";
import { say } from "../parts/notices";
import { paths } from "../router";
import type { Alert, AlertPage } from "./answer";

export interface AlertCounts {
  open: number;
  critical: number;
  unacknowledged: number;
}

/** Null until they were read. */
export const alertCounts = signal<AlertCounts | null>(null);

const EVERY_MS = 10_000;
const LOOKED_AT = 20;
let known: ReadonlySet<number> | null = null;

/** Critical alerts that nobody saw yet; of the first answer none, since it tells what was so before this page. */
export function newCritical(before: ReadonlySet<number> | null, alerts: readonly Alert[]): Alert[] {
  return before === null ? [] : alerts.filter((alert) => alert.severity === "critical" && alert.status === "open" && alert.acknowledgedAt === null && !before.has(alert.id));
}

/** Take what a page of alerts tells, whoever asked for it. */
export function noteAlerts(page: Pick<AlertPage, "alerts" | "open" | "critical" | "unacknowledged">): void {
  const { open, critical, unacknowledged } = page;
  alertCounts.value = { open, critical, unacknowledged };
  for (const alert of newCritical(known, page.alerts).slice(0, 2)) say(`Alert: ${alert.message}`, "failed", { label: "See alerts", href: paths.alerts() });
  known = new Set([...(known ?? []), ...page.alerts.map((alert) => alert.id)]);
}

/** Ask again and again while the page is seen, until the function that is returned is called. */
export function watchAlerts(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  let tag: string | null = null;
  let failures = 0;
  let asking = false;
  const ask = async () => {
    clearTimeout(timer);
    if (closed || asking || !seen() || sessionEnded.peek()) return;
    asking = true;
    try {
      const answer = await getTagged("/api/orchestration/alerts", tag, { query: { status: "open", limit: LOOKED_AT } });
      tag = answer.tag;
      failures = 0;
      if (answer.answer !== null && !closed) noteAlerts(answer.answer);
    } catch {
      // The page's own feeds tell that the server is away.
      failures += 1;
    }
    asking = false;
    if (!closed) timer = setTimeout(() => void ask(), failures > 0 ? Math.max(EVERY_MS, backoffMs(failures)) : EVERY_MS);
  };
  const stop = onWake(() => void ask());
  void ask();
  return () => {
    closed = true;
    stop();
    clearTimeout(timer);
  };
}
