import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { Dialog } from "../../parts/Dialog";
import { paths } from "../../router";
import type { Failure, Sent } from "./asking";
import { SENDING } from "./words";

interface Props<T> {
  title: string;
  /** What will happen, a sentence each. */
  words: readonly string[];
  confirm: string;
  danger?: boolean;
  /** Why it cannot be confirmed just now; the state may change while the dialog is open. */
  reason?: string | null;
  wide?: boolean;
  send: () => Promise<Sent<T>>;
  done?: (answer: T) => void;
  close: () => void;
  children?: ComponentChildren;
}

/** Says what a control will do and does it once that is confirmed. Stays until the server has answered; closing it recalls nothing. */
export function Confirm<T>({ title, words, confirm, danger = false, reason = null, wide = false, send, done, close, children }: Props<T>) {
  const [sending, setSending] = useState(false);
  const [problem, setProblem] = useState<Failure | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (sending || reason !== null) return;
    setSending(true);
    setProblem(null);
    const sent = await send();
    setSending(false);
    if ("problem" in sent) return setProblem(sent);
    close();
    done?.(sent.answer);
  };
  return (
    <Dialog title={title} close={close} wide={wide}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        {words.length > 0 && <div class="confirm-words">{words.map((text) => <p key={text}>{text}</p>)}</div>}
        {children}
        {problem !== null && <p class="confirm-problem" role="alert">{problem.problem}{problem.runId !== null && <> <a class="link" href={paths.run(problem.runId)} onClick={close}>Open that run</a></>}</p>}
        <div class="dialog-actions">
          {reason !== null && <p class="confirm-reason muted small" role="status">{reason}</p>}
          <button type="button" class="button" onClick={close}>{sending ? "Close" : "Cancel"}</button>
          <button type="submit" class={`button ${danger ? "danger confirm-danger" : "primary"}`} disabled={sending || reason !== null} autofocus={!children}>
            {sending ? SENDING : confirm}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
