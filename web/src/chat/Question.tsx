import { useEffect, useRef, useState } from "preact/hooks";

import { Copy } from "../parts/Copy";
import { whyNotOperator } from "../session";
import { Branches } from "./Branches";
import { EditIcon } from "./icons";
import type { Place, Tree } from "./tree";

export interface QuestionProps {
  place: Place;
  tree: Tree;
  show: (leaf: string) => void;
  /** Say it in other words: a branch of its own. Resolves when it was accepted; rejects with why not. */
  edit: (text: string) => Promise<void>;
}

/** What a person said. */
export function Question({ place, tree, show, edit }: QuestionProps) {
  const { message } = place;
  const [editing, setEditing] = useState(false);
  const whyNot = whyNotOperator.value;
  if (editing) return <Editing text={message.text} cancel={() => setEditing(false)} save={(text) => edit(text).then(() => setEditing(false))} />;
  return (
    <article class="question" aria-label={`${message.created_by} said`} data-message={message.id}>
      <div class="question-text">{message.text}</div>
      <div class="chat-tools question-tools">
        <Branches place={place} tree={tree} show={show} />
        <Copy text={() => message.text} className="button plain chat-small" />
        <button type="button" class="button plain chat-small" disabled={whyNot !== null} title={whyNot ?? "Say it in other words, as a branch of its own"} onClick={() => setEditing(true)}><EditIcon />Edit</button>
      </div>
    </article>
  );
}

function Editing({ text, cancel, save }: { text: string; cancel: () => void; save: (text: string) => Promise<void> }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const [words, setWords] = useState(text);
  const [sending, setSending] = useState(false);
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(text.length, text.length);
  }, []);
  const send = () => {
    if (sending || words.trim() === "") return;
    setSending(true);
    // Why not is said by who asked for it; the words stay here.
    save(words).catch(() => setSending(false));
  };
  return (
    <form class="question-editing" onSubmit={(event) => { event.preventDefault(); send(); }}>
      <textarea
        ref={field} aria-label="The message in other words" value={words} onInput={(event) => setWords(event.currentTarget.value)} rows={3}
        onKeyDown={(event) => {
          if (event.key === "Escape") { event.stopPropagation(); cancel(); }
          if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
        }}
      />
      <div class="row-gap question-editing-foot">
        <p class="muted small">The answers so far stay, as another branch.</p>
        <button type="button" class="button" onClick={cancel}>Cancel</button>
        <button type="submit" class="button primary" disabled={sending || words.trim() === ""}>{sending ? "Sending" : "Send"}</button>
      </div>
    </form>
  );
}
