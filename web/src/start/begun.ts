// What is said and done once a run was started.
import type { Started } from "../api/types";
import { say } from "../parts/notices";
import { go, paths } from "../router";

/** Tell that it goes on without this page, and show the run. */
export function showRun(started: Started): void {
  tellStarted(started);
  go(paths.run(started.workflow_id));
}

export function tellStarted(started: Started, stay = false): void {
  const begun = started.created ? "Started on the server" : "It was already started on the server";
  say(`${begun}: ${started.workflow_id}. It goes on if you close this page.`, "said", stay ? { label: "Open", href: paths.run(started.workflow_id) } : undefined);
}
