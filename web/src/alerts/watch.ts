// What the frame knows of alerts on every page: how many are open, and whether a critical one is new.
import { signal } from "@preact/signals";

import { getTagged, sessionEnded } from "../api/client";
import { backoffMs } from "../live/backoff";
import { onWake, seen } from "../live/waking";
import { say } from "../parts/notices";
import { paths } from "../router";
import type { Alert, AlertPage } from "./answer";
import { alertsLive, onAlertNews } from "./news";

export interface AlertCounts {
  open: number;
  critical: number;
  unacknowledged: number;
}

/** Null until they were read. */
export const alertCounts = signal<AlertCounts | null>(null);

/** Those that are open, the first twenty; null until they were read. */
export const openAlerts = signal<readonly Alert[] | null>(null);

/** Ask again now; nothing while nobody watches. */
export const refreshAlerts = (): Promise<void> => watching();
let watching: () => Promise<void> = () => Promise.resolve();

const EVERY_MS = 10_000;
/** The same while changes are told: one can be lost. */
const LIVE_MS = 30_000;
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
  openAlerts.value = page.alerts.filter((alert) => alert.status === "open");
  for (const alert of newCritical(known, page.alerts).slice(0, 2)) say(`Alert: ${alert.message}`, "failed", { label: "See alerts", href: paths.alerts() });
  known = new Set([...(known ?? []), ...page.alerts.map((alert) => alert.id)]);
}

/** Ask when they changed, and again and again, while the page is seen, until the function that is returned is called. */
export function watchAlerts(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  let tag: string | null = null;
  let failures = 0;
  let asking = false;
  let again = false;
  const everyMs = () => (alertsLive.peek() ? LIVE_MS : EVERY_MS);
  const ask = async () => {
    // What is under way may have been answered before what is asked for now.
    again ||= asking;
    if (closed || asking || !seen() || sessionEnded.peek()) return;
    clearTimeout(timer);
    asking = true;
    again = false;
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
    if (closed) return;
    timer = setTimeout(() => void ask(), again && failures === 0 ? 0 : Math.max(everyMs(), failures > 0 ? backoffMs(failures) : 0));
  };
  let wasLive = alertsLive.peek();
  const stops = [
    onWake(() => void ask()),
    onAlertNews(() => void ask()),
    alertsLive.subscribe((live) => {
      if (wasLive && !live) void ask();
      wasLive = live;
    }),
  ];
  watching = ask;
  void ask();
  return () => {
    closed = true;
    for (const stop of stops) stop();
    clearTimeout(timer);
  };
}
