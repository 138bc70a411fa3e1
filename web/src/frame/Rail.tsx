import type { ComponentType } from "preact";

import { alertCounts } from "../alerts/watch";
import { paths, route } from "../router";
import { config } from "../session";
import { AlertsIcon, ChatIcon, DashboardIcon, PerdureMark, RunsIcon, StartIcon, WorkersIcon } from "./icons";

interface Place {
  word: string;
  href: string;
  Icon: ComponentType;
  pages: readonly string[];
}

const PLACES: readonly Place[] = [
  { word: "Runs", href: paths.runs(), Icon: RunsIcon, pages: ["runs", "run"] },
  { word: "Start", href: paths.start(), Icon: StartIcon, pages: ["start"] },
  { word: "Chat", href: paths.chat(), Icon: ChatIcon, pages: ["chat", "ratings"] },
  { word: "Dashboard", href: paths.dashboard(), Icon: DashboardIcon, pages: ["dashboard"] },
  { word: "Workers", href: paths.workers(), Icon: WorkersIcon, pages: ["workers"] },
  { word: "Alerts", href: paths.alerts(), Icon: AlertsIcon, pages: ["alerts"] },
];

/** The pages there are: at the left, and on a phone at the bottom, where the thumb is. */
export function Rail() {
  const { page } = route.value;
  return (
    <nav class="rail" aria-label="Pages">
      <a class="rail-brand" href={paths.runs()} tabIndex={-1} aria-hidden="true"><PerdureMark /><span>Perdure</span></a>
      <ul class="rail-places">
        {PLACES.map(({ word, href, Icon, pages }) => (
          <li key={word}>
            <a class="rail-place" href={href} aria-current={pages.includes(page) ? (page === "run" || page === "ratings" ? "true" : "page") : undefined}>
              <Icon /><span>{word}</span>{word === "Alerts" && <OpenAlerts />}
            </a>
          </li>
        ))}
      </ul>
      {config.value && <p class="rail-version" title="The version of the server">{config.value.version}</p>}
    </nav>
  );
}

/** How many alerts are open; red where one of them is critical and nobody has seen it. */
function OpenAlerts() {
  const counts = alertCounts.value;
  if (counts === null || counts.open === 0) return null;
  const grave = counts.critical > 0 && counts.unacknowledged > 0;
  return <span class={`rail-count${grave ? " rail-count-grave" : ""}`}>{counts.open > 99 ? "99+" : counts.open}<span class="sr-only"> open</span></span>;
}
