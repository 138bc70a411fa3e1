import { useEffect, useRef, useState } from "preact/hooks";

import { post, Problem } from "../api/client";
import type { JsonObject, Started } from "../api/types";
import { sentMemory } from "./drafts";
import { newRunId, startOnce } from "./submission";

export type Phase =
  | { kind: "idle" }
  | { kind: "sending"; what: string; attempt: number }
  /** No answer came; sending the same again starts nothing twice. */
  | { kind: "unanswered"; error: unknown }
  /** `retryAt`: when it may be tried again, in milliseconds since 1970. */
  | { kind: "refused"; problem: Problem; retryAt: number | null }
  | { kind: "broken"; error: unknown };

export interface Launch {
  phase: Phase;
  /** Send a start; null when it was refused or not answered, `phase` says why. `what` tells steps run alone apart from all of it. */
  launch: (workflow: JsonObject, what: string) => Promise<Started | Problem | null>;
  forget: () => void;
}

/** Starts workflows for one form. */
export function useLaunch(name: string): Launch {
  const [phase, setPhase] = useState<Phase>({ kind: "idle" });
  const shown = useRef(true);
  useEffect(() => () => { shown.current = false; }, []);
  const busy = useRef(false);
  const show = (next: Phase) => { if (shown.current) setPhase(next); };

  async function launch(workflow: JsonObject, what: string): Promise<Started | Problem | null> {
    if (busy.current) return null;
    busy.current = true;
    try {
      const started = await startOnce(
        { ...workflow, metadata: { ...(workflow.metadata as JsonObject | undefined), initiated_from: "web" } },
        {
          post: (body) => post("/workflow/start", { body }),
          memory: sentMemory(what === "all" ? name : `${name}.${what}`),
          wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
          newId: newRunId,
          trying: (_id, attempt) => show({ kind: "sending", what, attempt }),
        },
      );
      show({ kind: "idle" });
      return started;
    } catch (error) {
      if (error instanceof Problem && error.status < 500) {
        show({ kind: "refused", problem: error, retryAt: error.retryAfterS === null ? null : Date.now() + error.retryAfterS * 1000 });
        return error;
      }
      show(error instanceof Problem && ![502, 503, 504].includes(error.status) ? { kind: "broken", error } : { kind: "unanswered", error });
      return null;
    } finally {
      busy.current = false;
    }
  }

  return { phase, launch, forget: () => setPhase({ kind: "idle" }) };
}
