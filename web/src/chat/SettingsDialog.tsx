import { useId, useRef, useState } from "preact/hooks";

import { Problem } from "../api/client";
import { Dialog } from "../parts/Dialog";
import { messageOf } from "../parts/Failed";
import { whyNotOperator } from "../session";
import { fieldAt, formOf, NUMBERS, settingsOf, type Faults, type FieldName, type Settings } from "./settings";
import { sentence } from "./states";

export interface SettingsDialogProps {
  settings: Settings;
  /** The instructions that the conversation began with; empty: none; null: they are not read yet. */
  began: string | null;
  /** Of a conversation that has not begun. */
  isNew: boolean;
  /** Resolves when they are kept; rejects with why not. */
  save: (settings: Settings) => Promise<void>;
  close: () => void;
}

const EMPTY = formOf({ system: null, parameters: null }, "");

/** What models are told in a conversation beside what is said in it. */
export function SettingsDialog({ settings, began: known, isNew, save, close }: SettingsDialogProps) {
  const began = known ?? "";
  const [form, setForm] = useState(() => formOf(settings, began));
  const [faults, setFaults] = useState<Faults>({});
  const [fault, setFault] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const root = useRef<HTMLFormElement>(null);
  const whyNot = whyNotOperator.value;
  const id = useId();
  const set = (name: FieldName, text: string) => {
    setForm({ ...form, [name]: text });
    // A fault that is being mended is none until it is looked at again.
    if (faults[name] !== undefined) setFaults({ ...faults, [name]: undefined } as Faults);
  };
  const refuse = (found: Faults) => {
    setFaults(found);
    const first = root.current?.querySelector<HTMLElement>(Object.keys(found).map((name) => `[name="${name}"]`).join(","));
    first?.focus();
  };
  const look = (name: FieldName) => {
    const found = settingsOf(form, settings, began);
    setFaults({ ...faults, [name]: "faults" in found ? found.faults[name] : undefined } as Faults);
  };
  const submit = () => {
    if (busy || whyNot !== null) return;
    setFault(null);
    const found = settingsOf(form, settings, began);
    if ("faults" in found) return refuse(found.faults);
    setBusy(true);
    save(found.settings).then(close, (error: unknown) => {
      setBusy(false);
      const field = error instanceof Problem ? fieldAt(error.where) : null;
      if (field === null) setFault(sentence(messageOf(error)));
      else refuse({ [field]: sentence(messageOf(error)) });
    });
  };
  const field = (name: FieldName) => ({
    id: `${id}-${name}`, name, value: form[name], disabled: whyNot !== null, "aria-invalid": faults[name] !== undefined || undefined,
    "aria-describedby": `${id}-${name}-hint${faults[name] === undefined ? "" : ` ${id}-${name}-fault`}`,
    onInput: (event: { currentTarget: { value: string } }) => set(name, event.currentTarget.value),
    onBlur: () => look(name),
  });
  const said = (name: FieldName, hint: string) => (
    <>
      <p class="hint" id={`${id}-${name}-hint`}>{hint}</p>
      {faults[name] !== undefined && <p class="fault" id={`${id}-${name}-fault`} role="alert">{faults[name]}</p>}
    </>
  );
  return (
    <Dialog title="Instructions and parameters" close={close} wide>
      <form class="stack chat-settings" ref={root} onSubmit={(event) => { event.preventDefault(); submit(); }} noValidate>
        <p class="muted small">{isNew ? "They hold for all that is said in the new chat" : "They hold for all that is said in this chat from now on, and for answers that are written again"}, on every device. What is left empty is as the provider has it.</p>
        <div class="field">
          <label for={`${id}-system`}>Instructions</label>
          <textarea rows={4} placeholder={known === null ? "Those that the chat began with, if there were any. What is written here takes their place." : "Answer in short sentences, with an example."} {...field("system")} />
          {said("system", "What every model is told before all that is said: who it is, what for, and how it is to write")}
        </div>
        <div class="chat-settings-numbers">
          {NUMBERS.map(({ name, label, meaning, whole }) => (
            <div key={name} class="field">
              <label for={`${id}-${name}`}>{label}</label>
              <input type="text" inputMode={whole ? "numeric" : "text"} autocomplete="off" {...field(name)} />
              {said(name, meaning)}
            </div>
          ))}
        </div>
        <div class="field">
          <label for={`${id}-stop`}>Stop at</label>
          <textarea rows={2} class="mono" spellcheck={false} autocapitalize="off" {...field("stop")} />
          {said("stop", "Texts at which an answer ends, one a line, at most 8; \\n stands for a new line")}
        </div>
        {fault !== null && <p class="tone-red small" role="alert">{fault}</p>}
        {whyNot !== null && <p class="muted small">{whyNot}</p>}
        <div class="dialog-actions">
          <button type="button" class="button plain chat-settings-clear" disabled={whyNot !== null} onClick={() => { setForm(EMPTY); setFaults({}); }}>Empty all</button>
          <button type="button" class="button" onClick={close}>{whyNot === null ? "Cancel" : "Close"}</button>
          {whyNot === null && <button type="submit" class="button primary" disabled={busy}>{busy ? "Sent" : "Save"}</button>}
        </div>
      </form>
    </Dialog>
  );
}
