import { post } from "../api/client";
import type { Bulk, Refused } from "./bulk";

/** As many as the server takes at once. */
const AT_ONCE = 100;

/** Ask the server, some runs at a time. Says which were refused, and why. Throws what `post` throws; `done` counts those answered before. */
export async function controlMany(bulk: Bulk, ids: readonly string[], done: (answered: number) => void): Promise<Refused[]> {
  const refused: Refused[] = [];
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const some = ids.slice(at, at + AT_ONCE);
    const answer = await post("/workflow/control/many", { body: { control: bulk, workflow_ids: some } });
    for (const run of answer.runs) if (!run.success) refused.push({ workflowId: run.workflow_id, message: run.message });
    done(at + some.length);
  }
  return refused;
}
