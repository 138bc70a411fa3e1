// What the window and the top bar are headed with. Each page has a name by itself; a page that knows better calls `setTitle`.
import { effect, signal } from "@preact/signals";

import { route, type Route } from "../router";

const NAMES: Record<Exclude<Route["page"], "run">, string> = {
  runs: "Runs", start: "Start", chat: "Chat", ratings: "Ratings", workers: "Workers", dashboard: "Dashboard", alerts: "Alerts", account: "Account", unknown: "Not found",
};

/** What the top bar calls the page that is shown; on a run's page it stands behind "Runs". */
export const heading = signal("");

let shown = "";

// Not an effect of a component: it must come before those of the page, which may call `setTitle` when it is first shown.
effect(() => {
  const at = route.value;
  const place = at.page === "run" ? `run ${at.runId}` : at.page;
  if (place === shown) return;
  shown = place;
  setTitle(at.page === "run" ? at.runId : NAMES[at.page]);
});

/** Name the page until another one is shown: in the window's title, and in the top bar, there by `inBar` if it is given. */
export function setTitle(title: string, inBar: string = title): void {
  const whole = `${title} · Perdure`;
  // Runs tell their percent here many times a second, and the browser redraws its tab each time, changed or not.
  if (document.title !== whole) document.title = whole;
  heading.value = inBar;
}
