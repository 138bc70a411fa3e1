import type { ComponentType } from "preact";

import { paths, route } from "../router";
import { config } from "../session";
import { DashboardIcon, PerdureMark, RunsIcon, StartIcon, WorkersIcon } from "./icons";

interface Place {
  word: string;
  href: string;
  Icon: ComponentType;
  pages: readonly string[];
}

const PLACES: readonly Place[] = [
  { word: "Runs", href: paths.runs(), Icon: RunsIcon, pages: ["runs", "run"] },
  { word: "Start", href: paths.start(), Icon: StartIcon, pages: ["start"] },
  { word: "Dashboard", href: paths.dashboard(), Icon: DashboardIcon, pages: ["dashboard"] },
  { word: "Workers", href: paths.workers(), Icon: WorkersIcon, pages: ["workers"] },
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
            <a class="rail-place" href={href} aria-current={pages.includes(page) ? (page === "run" ? "true" : "page") : undefined}>
              <Icon /><span>{word}</span>
            </a>
          </li>
        ))}
      </ul>
      {config.value && <p class="rail-version" title="The version of the server">{config.value.version}</p>}
    </nav>
  );
}
