// Runs for the command palette: what is known answers at once, the server a moment later.
import { signal } from "@preact/signals";

import { get, Problem } from "../api/client";
import type { RunShown } from "../api/types";
import { merged, runsThatFit } from "./palette-entries";

const PAUSE_MS = 120;
const LIMIT = 8;

/** All runs that were heard of here, newest first. */
export const knownRuns = signal<readonly RunShown[]>([]);
/** True while the server has not answered what was typed last. */
export const searching = signal(false);
/** Why the server's runs are missing, null when they are not. */
export const searchFault = signal<unknown>(null);

let timer = 0;
let abort = new AbortController();

/** Ask for runs with this text; what was asked before is dropped. */
export function searchRuns(typed: string): void {
  const wanted = typed.trim();
  stopSearch();
  searching.value = true;
  const mine = (abort = new AbortController());
  timer = window.setTimeout(async () => {
    try {
      const answer = await get("/workflow/runs", { query: { ...(wanted === "" ? {} : { q: wanted }), limit: LIMIT }, signal: mine.signal });
      knownRuns.value = merged(knownRuns.peek(), answer.runs);
      searchFault.value = null;
      if (mayBeId(wanted) && !answer.runs.some((run) => run.workflow_id === wanted)) await findExact(wanted, mine.signal);
    } catch (error) {
      if (mine.signal.aborted) return;
      searchFault.value = error;
    }
    if (!mine.signal.aborted) searching.value = false;
  }, wanted === "" ? 0 : PAUSE_MS);
}

export function stopSearch(): void {
  clearTimeout(timer);
  abort.abort();
  searching.value = false;
}

// A search looks at the newest runs only; one whose id is known whole is found however old it is.
const mayBeId = (wanted: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._:-]{3,}$/.test(wanted) && runsThatFit(wanted, knownRuns.peek()).length === 0;

async function findExact(workflowId: string, signal: AbortSignal): Promise<void> {
  try {
    const { summary } = await get("/workflow/state/summary", { query: { workflow_id: workflowId }, signal });
    if ("workflow_id" in summary) knownRuns.value = merged(knownRuns.peek(), [summary as unknown as RunShown]);
  } catch (error) {
    if (!(error instanceof Problem && error.status === 404)) throw error;
  }
}
