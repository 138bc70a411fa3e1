// What follows from who is there and what waits.
import { WAITS } from "../theme/statuses";
import type { Overview, Queue, WorkIn, Worker } from "./answer";

/** Those that are there first; then by name. */
export function inOrder(workers: readonly Worker[]): Worker[] {
  return [...workers].sort((a, b) => Number(a.lost) - Number(b.lost) || a.name.localeCompare(b.name));
}

/** What has been in hand for longest first: that is where something hangs. */
export function longestFirst(steps: readonly WorkIn[]): WorkIn[] {
  return [...steps].sort((a, b) => Date.parse(a.since) - Date.parse(b.since) || a.workflow_id.localeCompare(b.workflow_id) || a.index - b.index);
}

/** Slots of the workers that are there, and how many are in use; `slots` is null when none has told. */
export function slotsOf(workers: readonly Worker[]): { used: number; slots: number | null } {
  const alive = workers.filter((worker) => !worker.lost);
  const told = alive.filter((worker) => worker.concurrency !== null);
  return {
    used: alive.reduce((sum, worker) => sum + worker.steps.length, 0),
    slots: told.length === 0 ? null : told.reduce((sum, worker) => sum + worker.concurrency!, 0),
  };
}

/** The workers there are that take steps of this queue; null when one has not told which it takes, so that none can be ruled out. */
export function listeners(queue: string, workers: readonly Worker[]): Worker[] | null {
  const alive = workers.filter((worker) => !worker.lost);
  const sure = alive.filter((worker) => worker.queues?.includes(queue));
  return sure.length === 0 && alive.some((worker) => worker.queues === null) ? null : sure;
}

/** Queues whose steps wait for a worker that is not there. */
export function unheard(overview: Pick<Overview, "queues" | "workers">): Queue[] {
  return overview.queues.filter((queue) => queue.ready > 0 && listeners(queue.name, overview.workers)?.length === 0);
}

/** Busy ones first, then by name: what waits is above what does not. */
export function queuesInOrder(queues: readonly Queue[]): Queue[] {
  return [...queues].sort((a, b) => Number(b.ready > 0) - Number(a.ready > 0) || a.name.localeCompare(b.name));
}

const PREFORK: Record<string, string | undefined> = { killable: "--pool prefork -c 2", "killable-interactive": "--pool prefork -c 1" };

/** The command that starts a worker for this queue; in the project's directory, with the settings of the others. */
export function commandFor(queue: string): string {
  // A queue's name is part of a command that people paste into a shell.
  const name = /^[A-Za-z0-9._-]+$/.test(queue) ? queue : `'${queue.replaceAll("'", `'\\''`)}'`;
  const pool = PREFORK[queue] ?? "--pool threads -c 16";
  // A name of its own: two workers of one name on one host are taken for one.
  return `celery -A workers worker ${pool} -Q ${name} -n ${queue.replaceAll(/[^A-Za-z0-9_-]/g, "-")}@%h`;
}

/** `12`, or `10,000 or more` where the server stopped counting. */
export function counted(count: number, atMost: number): string {
  const said = count.toLocaleString("en");
  return count >= atMost ? `${said} or more` : said;
}

// Where the words for one step would be wrong for several.
const OF_MANY: Record<string, string | undefined> = { retry: "a retry", delay: "a delay" };

/** `3 wait for a retry`, the most frequent first. */
export function waitsInWords(waiting: Record<string, number>): { reason: string; count: number; words: string }[] {
  return Object.entries(waiting)
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]))
    .map(([reason, count]) => {
      const what = OF_MANY[reason] ?? (WAITS as Record<string, string | undefined>)[reason] ?? reason.replaceAll("_", " ");
      return { reason, count, words: `${count === 1 ? "waits" : "wait"} for ${what}` };
    });
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** All of it in one line: `2 workers, 3 of 18 slots in use`. */
export function summary(overview: Overview): string {
  const alive = overview.workers.filter((worker) => !worker.lost).length;
  const { used, slots } = slotsOf(overview.workers);
  if (alive === 0) return "No worker";
  return `${plural(alive, "worker")}, ${slots === null ? plural(used, "step") + " in hand" : `${used} of ${plural(slots, "slot")} in use`}`;
}
