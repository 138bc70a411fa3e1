import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { Problem } from "../api/client";
import { bindKeys } from "../keys";
import { messageOf } from "../parts/Failed";
import { NEW_CHAT } from "../router";
import { whyNotOperator } from "../session";
import type { Models } from "./types";
import { whyNot as whyNotAsked, type Asked } from "./asked";
import { coarse } from "./coarse";
import { draftOf, keepDraft } from "./drafts";
import { SendIcon, SettingsIcon, StopIcon } from "./icons";
import { ModelPicker } from "./ModelPicker";
import { wordsOf, type Settings } from "./settings";
import { SettingsDialog } from "./SettingsDialog";
import { sentence } from "./states";

export interface ComposerProps {
  /** Whose draft is kept: a conversation's id. */
  draft: string;
  models: Models | null;
  asked: Asked;
  choose: (asked: Asked) => void;
  /** Resolves when the message was accepted; rejects with why not. */
  send: (text: string) => Promise<void>;
  /** Told while a message is on its way; null when it no longer is. */
  sending: (text: string | null) => void;
  /** Why nothing can be said here just now. */
  hold: string | null;
  /** Stops what is being written; null when nothing is, or it was stopped already. */
  stop: (() => void) | null;
  /** Says in other words what one said last; null when one said nothing yet. */
  editLast: (() => void) | null;
  settings: Settings;
  /** The instructions that the conversation began with, which are no settings; empty: none; null: they are not read yet. */
  began: string | null;
  /** Resolves when the settings are kept; rejects with why not. */
  keep: (settings: Settings) => Promise<void>;
  field: RefObject<HTMLTextAreaElement | null>;
}

const LONGEST = 200_000;

/** Where one writes. What was typed stays until the server has accepted it. */
export function Composer({ draft, models, asked, choose, send, sending, hold, stop, editLast, settings, began, keep, field }: ComposerProps) {
  const [text, setText] = useState(() => draftOf(draft));
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<unknown>(null);
  const [setting, setSetting] = useState(false);
  const set = wordsOf(settings);
  const here = useRef(true);
  useEffect(() => () => { here.current = false; }, []);
  useEffect(() => { if (!coarse.matches) field.current?.focus({ preventScroll: true }); }, []);
  useLayoutEffect(() => fit(field.current), [text, busy]);
  useEffect(() => bindKeys([{ keys: "i", label: "Instructions and parameters", group: "Chat", act: () => setSetting(true) }]), []);

  const role = whyNotOperator.value;
  const none = models !== null && !models.orchestrated ? "This server streams answers plainly and keeps none (ENABLE_SERVER_SIDE_ORCHESTRATION=false): chats are for programs there." : null;
  const reason = role ?? none ?? whyNotAsked(asked);
  const off = reason !== null || busy || text.trim() === "" || hold !== null;
  const type = (next: string) => {
    setText(next);
    keepDraft(draft, next);
  };
  const submit = () => {
    if (off) return;
    const said = text;
    setBusy(true);
    setFault(null);
    setText("");
    sending(said);
    send(said).then(
      () => keepDraft(draft, here.current ? (field.current?.value ?? "") : ""),
      (error: unknown) => {
        setFault(error);
        // What was typed meanwhile comes below.
        setText((typed) => {
          const both = typed === "" ? said : `${said}\n\n${typed}`;
          keepDraft(draft, both);
          return both;
        });
      },
    ).finally(() => {
      sending(null);
      setBusy(false);
      if (!coarse.matches) field.current?.focus({ preventScroll: true });
    });
  };
  // Beside the form and not in it: a form of its own is in that.
  const dialog = setting && <SettingsDialog settings={settings} began={began} isNew={draft === NEW_CHAT} save={keep} close={() => setSetting(false)} />;
  return (
    <>{dialog}<form class="composer" onSubmit={(event) => { event.preventDefault(); submit(); }}>
      {fault !== null && (
        <div class="composer-fault" role="alert">
          <p>Not sent. {sentence(messageOf(fault))}{fault instanceof Problem && fault.mend ? ` ${sentence(fault.mend)}.` : ""}</p>
        </div>
      )}
      {role !== null && <p class="composer-why">{role} You can read along.</p>}
      {none !== null && <p class="composer-why">{none}</p>}
      <div class="composer-box">
        <textarea
          ref={field} class="composer-text" aria-label="Message" rows={1} maxLength={LONGEST} value={text} disabled={role !== null || none !== null}
          placeholder={role === null ? "Write a message" : "Only those who may start runs can write"}
          onInput={(event) => type(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.isComposing) return;
            if (event.key === "Escape") {
              event.preventDefault();
              if (stop !== null && role === null) stop();
              // Then the page's keys are keys again.
              else event.currentTarget.blur();
            }
            if (event.key === "ArrowUp" && text === "" && editLast !== null && role === null) {
              event.preventDefault();
              editLast();
            }
            // On a phone Enter is for new lines; the button sends.
            if (event.key !== "Enter" || event.shiftKey || coarse.matches) return;
            event.preventDefault();
            submit();
          }}
        />
        <div class="composer-foot">
          {models !== null && <ModelPicker models={models.models} asked={asked} choose={choose} />}
          <button
            type="button" class="button plain icon composer-settings" aria-haspopup="dialog" aria-keyshortcuts="i" onClick={() => setSetting(true)}
            aria-label="Instructions and parameters" title={set.length > 0 ? `Instructions and parameters: ${set.join(", ")}` : "Instructions and parameters"}
          ><SettingsIcon />{set.length > 0 && <span class="composer-set">{set.length}<span class="sr-only"> set</span></span>}</button>
          <span class={hold === null ? "composer-hint" : "composer-hint composer-held"}>{hold ?? (reason !== null && role === null && none === null ? reason : <><kbd>Enter</kbd> sends, <kbd>Shift</kbd> <kbd>Enter</kbd> begins a line</>)}</span>
          {hold !== null ? (
            <button type="button" class="button primary composer-send" disabled={role !== null || stop === null} title={role ?? "Stop writing; what is written by then is kept"} aria-label="Stop writing" aria-keyshortcuts="s Escape" onClick={() => stop?.()}><StopIcon /></button>
          ) : (
            <button type="submit" class="button primary composer-send" disabled={off} title={reason ?? undefined} aria-label={busy ? "Sending" : "Send"}><SendIcon /></button>
          )}
        </div>
      </div>
    </form></>
  );
}

/** As high as what is typed in it, within limits. */
function fit(field: HTMLTextAreaElement | null): void {
  if (field === null) return;
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, innerHeight * 0.4)}px`;
}
