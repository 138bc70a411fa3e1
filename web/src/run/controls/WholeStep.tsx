import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

import { get } from "../../api/client";
import type { Action, WholeStep } from "../../api/types";
import { Dialog } from "../../parts/Dialog";
import { Failed } from "../../parts/Failed";

export interface Read {
  step: WholeStep;
  /** What the step does; null when the server does not know it any more. */
  action: Action | null;
}

interface Props {
  title: string;
  runId: string;
  stepKey: string;
  close: () => void;
  children: (read: Read) => ComponentChildren;
}

/** Reads all that is kept of a step before its dialog is shown. */
export function WithStep({ title, runId, stepKey, close, children }: Props) {
  const [found, setFound] = useState<Read | { error: unknown } | null>(null);
  const [tries, setTries] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    setFound(null);
    Promise.all([
      get("/workflow/steps", { query: { workflow_id: runId, step: stepKey }, signal: stop.signal }),
      get("/workflow/actions", { signal: stop.signal }),
    ]).then(
      ([answer, { actions }]) => {
        if (!("step" in answer)) return;
        setFound({ step: answer.step, action: actions.find((one) => one.name === answer.step.action) ?? null });
      },
      (error: unknown) => { if (!stop.signal.aborted) setFound({ error }); },
    );
    return () => stop.abort();
  }, [runId, stepKey, tries]);
  if (found !== null && "step" in found) return <>{children(found)}</>;
  return (
    <Dialog title={title} close={close}>
      {found === null
        ? <div class="stack" aria-busy="true"><span class="skeleton" /><span class="skeleton" /><span class="sr-only">Reading the step</span></div>
        : <Failed error={found.error} retry={() => setTries(tries + 1)} />}
      <div class="dialog-actions"><button type="button" class="button" autofocus onClick={close}>Cancel</button></div>
    </Dialog>
  );
}
