import { useEffect, useState } from "preact/hooks";

import { post, Unreachable } from "../api/client";
import type { RunShown } from "../api/types";
import { messageOf } from "../parts/Failed";
import { say } from "../parts/notices";

/** Stops a run. `stopping` from the press on: until the server shows it so, or said why not. */
export function useStop(run: Pick<RunShown, "workflow_id" | "stopping">, refresh: () => void): { stopping: boolean; stop: () => Promise<void> } {
  const { workflow_id: id } = run;
  const [asked, setAsked] = useState<string | null>(null);
  // From here on the server tells: a run that is retried later can be stopped again.
  useEffect(() => { if (run.stopping) setAsked(null); }, [run.stopping]);
  return {
    stopping: run.stopping || asked === id,
    async stop() {
      setAsked(id);
      try {
        const answer = await post("/workflow/stop", { body: { workflow_id: id } });
        if (!answer.active) say(`Run ${id} was stopped.`);
      } catch (error) {
        setAsked(null);
        say(error instanceof Unreachable ? `No answer came to the stop of run ${id}. Stop it again if it goes on; that does no harm.` : `Run ${id} could not be stopped: ${messageOf(error)}`, "failed");
      }
      refresh();
    },
  };
}
