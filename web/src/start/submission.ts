// Sends a start so that it happens once, whatever becomes of the answers: the run's id is made here and kept until the server
// said yes, or no to this very start.
import { Problem } from "../api/client";
import type { JsonObject, Started } from "../api/types";
import { isUnanswered } from "./problems";

/** What was sent and is not answered yet. */
export interface Sent {
  id: string;
  body: string;
}

export interface Means {
  post: (body: JsonObject) => Promise<Started>;
  /** Outlives a reload of the page. */
  memory: { read: () => Sent | null; write: (sent: Sent | null) => void };
  wait: (ms: number) => Promise<void>;
  newId: () => string;
  /** Told before every try, from 1. */
  trying: (id: string, attempt: number) => void;
}

const PAUSES_MS = [1000, 2000, 4000];

/** Start a workflow. Throws what the server refused; or that no answer came, then the same is safely sent again. */
export async function startOnce(workflow: JsonObject, means: Means): Promise<Started> {
  const body = JSON.stringify(workflow);
  const before = means.memory.read();
  const id = before?.body === body ? before.id : means.newId();
  means.memory.write({ id, body });
  for (let attempt = 1; ; attempt += 1) {
    means.trying(id, attempt);
    try {
      const started = await means.post({ ...workflow, workflow_id: id });
      means.memory.write(null);
      return started;
    } catch (error) {
      const pause = PAUSES_MS[attempt - 1];
      if (isNo(error)) means.memory.write(null);
      if (!isUnanswered(error) || pause === undefined) throw error;
      await means.wait(pause);
    }
  }
}

// Said before the start was looked at: one that was sent before, whose answer was lost, may have happened all the same.
const NOT_LOOKED_AT = [401, 408, 429];

/** Whether the server refused this start itself: then nothing was started under its id. */
const isNo = (error: unknown): boolean =>
  error instanceof Problem && error.status >= 400 && error.status < 500 && !NOT_LOOKED_AT.includes(error.status);

/** `workflow_<ms>_<random>`, as the server makes them. */
export function newRunId(now = Date.now()): string {
  const random = crypto.getRandomValues(new Uint8Array(4));
  return `workflow_${now}_${[...random].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
