import { useState } from "preact/hooks";

import { say } from "../parts/notices";
import { sent } from "../run/controls/asking";
import { Confirm } from "../run/controls/Confirm";
import "../run/controls/controls.css";
import { whyNotOperator } from "../session";
import { settle, type Alert } from "./answer";
import { ruleName } from "./words";

const LONGEST_NOTE = 500;

const ACTS = {
  acknowledge: {
    title: "Acknowledge this alert?", confirm: "Acknowledge", verb: "acknowledge it", said: "Acknowledged.",
    words: ["It stays open, and everybody sees that you have seen it."],
  },
  resolve: {
    title: "Take this alert for over?", confirm: "Resolve", verb: "resolve it", said: "Resolved.",
    words: ["It is closed, and does not come back while what it is about goes on, for a day at most."],
  },
} as const;

export type AlertAct = keyof typeof ACTS;

/** Says what acknowledging or resolving does, asks for a note, and does it. */
export function NoteDialog({ alert, act, refresh, close }: { alert: Alert; act: AlertAct; refresh: () => Promise<void>; close: () => void }) {
  const [note, setNote] = useState("");
  const { title, confirm, words, verb, said } = ACTS[act];
  const send = () => sent(verb, () => settle(act, alert.id, note), refresh);
  return (
    <Confirm title={title} words={words} confirm={confirm} reason={whyNotOperator.value} close={close} send={send} done={() => say(said)}>
      <p class="alert-quoted small"><strong>{ruleName(alert.rule)}</strong> <span>{alert.message}</span></p>
      <div class="field">
        <label for="alert-note">Note for the others</label>
        <textarea id="alert-note" rows={3} maxLength={LONGEST_NOTE} value={note} placeholder="not needed" autofocus onInput={(event) => setNote(event.currentTarget.value)} />
      </div>
    </Confirm>
  );
}
