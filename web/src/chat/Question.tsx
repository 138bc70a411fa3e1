import { useEffect, useRef, useState } from "preact/hooks";

import { exactTime, minuteTime, shortTime } from "../format/times";
import { Copy } from "../parts/Copy";
import { messageOf } from "../parts/Failed";
import { me, whyNotOperator } from "../session";
import { Branches } from "./Branches";
import { coarse } from "./coarse";
import { EditIcon } from "./icons";
import { sentence } from "./states";
import type { Place, Tree } from "./tree";

const LONG_CHARACTERS = 2000;
const LONG_LINES = 20;

export interface QuestionProps {
  place: Place;
  tree: Tree;
  show: (leaf: string) => void;
  /** Say it in other words: a branch of its own. Resolves when it was accepted; rejects with why not. */
  edit: (text: string) => Promise<void>;
  editing: boolean;
  setEditing: (on: boolean) => void;
}

/** What a person said. */
export function Question({ place, tree, show, edit, editing, setEditing }: QuestionProps) {
  const { message } = place;
  const whyNot = whyNotOperator.value;
  const [whole, setWhole] = useState(false);
  const long = isLong(message.text);
  if (editing) return <Editing text={message.text} cancel={() => setEditing(false)} save={(text) => edit(text).then(() => setEditing(false))} />;
  return (
    <article class="question" aria-label={`${message.created_by} said`} data-message={message.id}>
      <div class={long && !whole ? "question-text question-folded" : "question-text"}>{message.text}</div>
      <div class="chat-tools question-tools">
        <span class="question-by" title={exactTime(message.created_at)}>{message.created_by === me.value?.name ? "" : `${message.created_by}, `}{saidAt(message.created_at)}</span>
        {long && <button type="button" class="button plain chat-small" aria-expanded={whole} onClick={() => setWhole(!whole)}>{whole ? "Show less" : "Show all"}</button>}
        <Branches place={place} tree={tree} show={show} />
        <Copy text={() => message.text} className="button plain chat-small" />
        <button type="button" class="button plain chat-small" disabled={whyNot !== null} title={whyNot ?? "Say it in other words, as a branch of its own"} onClick={() => setEditing(true)}><EditIcon />Edit</button>
      </div>
    </article>
  );
}

/** What was pasted whole would push away what was answered to it. */
const isLong = (text: string): boolean => text.length > LONG_CHARACTERS || text.split("\n", LONG_LINES + 1).length > LONG_LINES;

const saidAt = (at: string): string => (new Date(at).toDateString() === new Date().toDateString() ? minuteTime(at) : shortTime(at, Date.now()));

function Editing({ text, cancel, save }: { text: string; cancel: () => void; save: (text: string) => Promise<void> }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const [words, setWords] = useState(text);
  const [sending, setSending] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(text.length, text.length);
  }, []);
  const send = () => {
    if (sending || words.trim() === "") return;
    setSending(true);
    setFault(null);
    // The words stay here.
    save(words).catch((error: unknown) => {
      setFault(sentence(messageOf(error)));
      setSending(false);
    });
  };
  return (
    <form class="question-editing" onSubmit={(event) => { event.preventDefault(); send(); }}>
      <textarea
        ref={field} aria-label="The message in other words" value={words} onInput={(event) => setWords(event.currentTarget.value)} rows={3}
        onKeyDown={(event) => {
          if (event.key === "Escape") { event.stopPropagation(); cancel(); }
          if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !coarse.matches) { event.preventDefault(); send(); }
        }}
      />
      {fault !== null && <p class="composer-fault" role="alert">Not sent. {fault}</p>}
      <div class="row-gap question-editing-foot">
        <p class="muted small">The answers so far stay, as another branch.</p>
        <button type="button" class="button" onClick={cancel}>Cancel</button>
        <button type="submit" class="button primary" disabled={sending || words.trim() === ""}>{sending ? "Sending" : "Send"}</button>
      </div>
    </form>
  );
}
