import { useEffect, useRef, useState } from "preact/hooks";

import { post } from "../api/client";
import type { JsonObject } from "../api/types";
import { counted } from "../format/counts";
import { Dialog } from "../parts/Dialog";
import { messageOf } from "../parts/Failed";
import { draftOf, type Draft } from "./draft";
import { readPasted } from "./pasted";

const EXAMPLE = "steps:\n  - key: a\n    action: noop";

/** A workflow pasted as YAML or JSON, in place of what is in the form. */
export function PasteWorkflow({ replaces, put, close }: { replaces: number; put: (draft: Draft) => void; close: () => void }) {
  const [text, setText] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const box = useRef<HTMLTextAreaElement>(null);
  // What is typed on, or closed, while the server reads is not answered any more.
  const asked = useRef<AbortController | null>(null);
  const drop = () => { asked.current?.abort(); asked.current = null; setBusy(false); };
  useEffect(() => () => asked.current?.abort(), []);

  async function read(): Promise<void> {
    const mine = (asked.current = new AbortController());
    setBusy(true);
    setFault(null);
    try {
      const found = await readPasted(text, async (text) => (await post("/workflow/read", { body: { text }, signal: mine.signal })).workflow as JsonObject);
      if (mine.signal.aborted) return;
      if ("workflow" in found) {
        put(draftOf(found.workflow));
        return close();
      }
      setFault(found.fault);
      if (found.at !== null) {
        box.current?.focus();
        box.current?.setSelectionRange(found.at, found.at + 1);
      }
    } catch (error) {
      if (mine.signal.aborted) return;
      setFault(messageOf(error));
    }
    setBusy(false);
  }
  const hint = replaces > 0 ? `It replaces the ${replaces === 1 ? "step" : counted(replaces, "step")} of the form.` : "Nothing is started yet.";
  return (
    <Dialog title="Paste a workflow" close={close} wide>
      <div class="field">
        <label for="paste-workflow">YAML or JSON: an object with steps, or the list of steps</label>
        <textarea
          id="paste-workflow" ref={box} class="mono start-text" rows={14} value={text} spellcheck={false} autocomplete="off" autocapitalize="off" placeholder={EXAMPLE}
          aria-invalid={fault !== null || undefined} aria-describedby="paste-workflow-said" onInput={(event) => { drop(); setText(event.currentTarget.value); setFault(null); }}
        />
        <p id="paste-workflow-said" class={fault === null ? "hint" : "fault"} role={fault === null ? undefined : "alert"}>{fault ?? hint}</p>
      </div>
      <div class="dialog-actions">
        <button type="button" class="button" onClick={close}>Cancel</button>
        <button type="button" class="button primary" disabled={text.trim() === "" || busy} onClick={() => void read()}>{busy ? "Reading…" : "Use it"}</button>
      </div>
    </Dialog>
  );
}
