import { useState } from "preact/hooks";

import { Dialog } from "../parts/Dialog";
import { pastedWorkflow } from "./check";
import { draftOf, type Draft } from "./draft";
import { jsonFault } from "./form/unparsed";

/** A workflow pasted as JSON, in place of what is in the form. */
export function PasteJson({ replaces, put, close }: { replaces: number; put: (draft: Draft) => void; close: () => void }) {
  const [text, setText] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  const read = () => {
    const wrong = jsonFault(text);
    if (wrong !== "") return setFault(wrong);
    const workflow = pastedWorkflow(JSON.parse(text));
    if (workflow === null) return setFault("A workflow is an object with steps, or a list of steps.");
    put(draftOf(workflow));
    close();
  };
  return (
    <Dialog title="Paste a workflow" close={close} wide>
      <div class="field">
        <label for="paste-json">JSON, as a start is sent: an object with steps, or the list of steps</label>
        <textarea id="paste-json" class="mono start-text" rows={14} value={text} spellcheck={false} placeholder={'{"steps": [{"key": "a", "action": "noop"}]}'} aria-invalid={fault !== null || undefined} onInput={(event) => { setText(event.currentTarget.value); setFault(null); }} />
        <p class={fault === null ? "hint" : "fault"} role={fault === null ? undefined : "alert"}>{fault ?? (replaces > 0 ? `It replaces the ${replaces === 1 ? "step" : `${replaces} steps`} of the form.` : "Nothing is started yet.")}</p>
      </div>
      <div class="dialog-actions">
        <button type="button" class="button" onClick={close}>Cancel</button>
        <button type="button" class="button primary" disabled={text.trim() === ""} onClick={read}>Use it</button>
      </div>
    </Dialog>
  );
}
