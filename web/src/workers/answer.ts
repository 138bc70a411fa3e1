// What the page asks for, in the server's words.
import { getTagged, type Tagged } from "../api/client";
import type { components } from "../api/schema.gen";

export type Overview = components["schemas"]["WorkersAnswer"];
export type Worker = components["schemas"]["WorkerShown"];
export type Queue = components["schemas"]["QueueShown"];
export type WorkIn = components["schemas"]["WorkIn"];

export const readWorkers = (tag: string | null, signal: AbortSignal): Promise<Tagged<Overview>> => getTagged("/workflow/workers", tag, { signal });
