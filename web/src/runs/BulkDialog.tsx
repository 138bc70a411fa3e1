import { useState } from "preact/hooks";

import { Unreachable } from "../api/client";
import type { RunShown } from "../api/types";
import { Dialog } from "../parts/Dialog";
import { messageOf } from "../parts/Failed";
import { say } from "../parts/notices";
import { paths } from "../router";
import { BULK_WORDS, type Bulk, outcomeWords, planOf, type Refused } from "./bulk";
import { controlMany } from "./bulk-request";

type Stage =
  | { kind: "asking" }
  | { kind: "sending"; answered: number }
  | { kind: "refused"; refused: Refused[] }
  | { kind: "failed"; answered: number; error: unknown };

/** Says what a control will do to the selected runs, does it, and says which runs refused it. */
export function BulkDialog({ bulk, runs, close, onDone }: { bulk: Bulk; runs: readonly RunShown[]; close: () => void; onDone: () => void }) {
  const [stage, setStage] = useState<Stage>({ kind: "asking" });
  // As it was when the dialog opened: what was read there is what is done.
  const [plan] = useState(() => planOf(bulk, runs));
  const [names] = useState(() => new Map(runs.map((run) => [run.workflow_id, run.name || run.workflow_id])));
  const { label, busy } = BULK_WORDS[bulk];

  const send = async (from: number) => {
    let answered = from;
    setStage({ kind: "sending", answered });
    try {
      const refused = await controlMany(bulk, plan.ids.slice(from), (count) => {
        answered = from + count;
        setStage({ kind: "sending", answered });
      });
      onDone();
      if (refused.length > 0) return setStage({ kind: "refused", refused });
      close();
      say(outcomeWords(bulk, plan.ids.length, []));
    } catch (error) {
      onDone();
      setStage({ kind: "failed", answered, error });
    }
  };

  if (stage.kind === "refused") {
    return (
      <Dialog title={outcomeWords(bulk, plan.ids.length, stage.refused)} close={close}>
        <ul class="bulk-refused">
          {stage.refused.map((one) => (
            <li key={one.workflowId}>
              <a class="link" href={paths.run(one.workflowId)}>{names.get(one.workflowId) ?? one.workflowId}</a>
              <span class="muted small">{one.message}</span>
            </li>
          ))}
        </ul>
        <div class="dialog-actions"><button type="button" class="button primary" onClick={close}>Close</button></div>
      </Dialog>
    );
  }
  const sending = stage.kind === "sending";
  return (
    <Dialog title={plan.title} close={close}>
      {plan.says.map((sentence) => <p key={sentence}>{sentence}</p>)}
      {stage.kind === "failed" && (
        <p class="bulk-failed" role="alert">
          {messageOf(stage.error)}
          {stage.error instanceof Unreachable && " It may have taken effect all the same: the list shows it. Sending it again does no harm."}
        </p>
      )}
      <div class="dialog-actions">
        <button type="button" class="button" onClick={close}>{sending ? "Close" : "Leave as they are"}</button>
        {plan.ids.length > 0 && (
          <button type="button" class={`button ${bulk === "stop" ? "danger" : "primary"}`} disabled={sending} onClick={() => void send(stage.kind === "failed" ? stage.answered : 0)}>
            {sending ? `${busy}… ${stage.answered} of ${plan.ids.length} answered` : stage.kind === "failed" ? "Send again" : `${label} ${plan.ids.length}`}
          </button>
        )}
      </div>
    </Dialog>
  );
}
