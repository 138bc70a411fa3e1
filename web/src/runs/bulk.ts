// Controls of many runs at once: what each will do, said before it is done.
import type { RunShown } from "../api/types";
import { counted } from "../format/counts";
import { shownRunStatus, STATUSES, type Status } from "../theme/statuses";

export type Bulk = "stop" | "pause" | "resume" | "retry";

export const BULKS: readonly Bulk[] = ["stop", "pause", "resume", "retry"];
export const BULK_WORDS: Record<Bulk, { label: string; busy: string; done: string; keys?: string }> = {
  stop: { label: "Stop", busy: "Stopping", done: "asked to stop" },
  pause: { label: "Pause", busy: "Pausing", done: "paused" },
  resume: { label: "Resume", busy: "Resuming", done: "resumed" },
  retry: { label: "Retry", busy: "Retrying", done: "tried again" },
};

const WHAT: Record<Bulk, { one: string; many: string }> = {
  stop: { one: "What runs in it is asked to stop, what has not begun is cancelled. A retry goes on from there.", many: "What runs in them is asked to stop, what has not begun is cancelled. A retry goes on from there." },
  pause: { one: "Steps under way end, nothing new begins until it is resumed.", many: "Steps under way end, nothing new begins until they are resumed." },
  resume: { one: "It goes on where it was paused.", many: "Each goes on where it was paused." },
  retry: { one: "What failed or was stopped runs again, and all that depends on it. Results of completed steps are kept.", many: "In each, what failed or was stopped runs again, and all that depends on it. Results of completed steps are kept." },
};

/** Whether it would do something to a run as it is known here. The server decides; this only says so beforehand. */
export function wouldAct(bulk: Bulk, run: Pick<RunShown, "status" | "active" | "stopping">): boolean {
  switch (bulk) {
    case "stop": return run.active && !run.stopping;
    case "pause": return run.active && !run.stopping && run.status !== "paused";
    case "resume": return run.status === "paused" && !run.stopping;
    case "retry": return run.status === "failed" || run.status === "cancelled";
  }
}

export interface Plan {
  title: string;
  /** What will happen, sentence by sentence. */
  says: string[];
  /** The runs it is sent for: those that it would do something to, and those of which nothing is known here. */
  ids: string[];
}

/** What will happen to these runs, and to which of them it is sent. */
export function planOf(bulk: Bulk, runs: readonly RunShown[]): Plan {
  const meant = runs.filter((run) => wouldAct(bulk, run));
  const rest = runs.filter((run) => !wouldAct(bulk, run));
  const { label } = BULK_WORDS[bulk];
  const what = meant.length === 1 ? WHAT[bulk].one : WHAT[bulk].many;
  const left = rest.length === 0 ? [] : [`${counted(rest.length, "run is", "runs are")} left as ${rest.length === 1 ? "it is" : "they are"}: ${statusWords(rest)}.`];
  if (meant.length === 0) return { title: `Nothing to ${label.toLowerCase()}`, says: left, ids: [] };
  return { title: `${label} ${counted(meant.length, "run", "runs")}?`, says: [what, ...left], ids: meant.map((run) => run.workflow_id) };
}

/** `3 completed, 1 failed`. */
export function statusWords(runs: readonly RunShown[]): string {
  const counts = new Map<Status, number>();
  for (const run of runs) counts.set(shownRunStatus(run), (counts.get(shownRunStatus(run)) ?? 0) + 1);
  return [...counts].map(([status, count]) => `${count} ${STATUSES[status].word}`).join(", ");
}

export interface Refused {
  workflowId: string;
  message: string;
}

/** How it went, in one sentence. */
export function outcomeWords(bulk: Bulk, asked: number, refused: readonly Refused[]): string {
  const done = asked - refused.length;
  const { done: word } = BULK_WORDS[bulk];
  if (refused.length === 0) return `${counted(asked, "run was", "runs were")} ${word}.`;
  if (done === 0) return asked === 1 ? "It was refused." : `All ${asked} were refused.`;
  return `${counted(done, "run was", "runs were")} ${word}, ${refused.length} ${refused.length === 1 ? "was" : "were"} refused.`;
}

