import { useState } from "preact/hooks";

import { Dialog } from "../parts/Dialog";
import { messageOf } from "../parts/Failed";
import { Menu } from "../parts/Menu";
import { say } from "../parts/notices";
import { go, paths } from "../router";
import { whyNotOperator } from "../session";
import { changeConversation, deleteConversation } from "./api";
import { BeforeIcon, MoreIcon } from "./icons";
import type { ConversationShown } from "./types";

/** What the conversation is called, and what can be done with it as a whole. */
export function ConversationHead({ conversation, refresh }: { conversation: ConversationShown; refresh: () => void }) {
  const [open, setOpen] = useState<"rename" | "delete" | null>(null);
  const reason = whyNotOperator.value;
  return (
    <header class="thread-head">
      <a class="button plain icon thread-back" href={paths.chat()} aria-label="All conversations"><BeforeIcon /></a>
      <h1 class="thread-title truncate" title={conversation.title}>{conversation.title}</h1>
      <Menu
        label="More for this conversation" className="button plain icon"
        items={[
          { label: "Rename", act: () => setOpen("rename"), reason },
          { label: "Delete", act: () => setOpen("delete"), reason, danger: true },
        ]}
      ><MoreIcon /></Menu>
      {open === "rename" && <Rename conversation={conversation} close={() => setOpen(null)} done={refresh} />}
      {open === "delete" && <Delete conversation={conversation} close={() => setOpen(null)} />}
    </header>
  );
}

function Rename({ conversation, close, done }: { conversation: ConversationShown; close: () => void; done: () => void }) {
  const [title, setTitle] = useState(conversation.title);
  const [fault, setFault] = useState<string | null>(null);
  const save = () => {
    changeConversation(conversation.id, { title: title.trim() }).then(() => { done(); close(); }, (error: unknown) => setFault(messageOf(error)));
  };
  return (
    <Dialog title="Rename the conversation" close={close}>
      <form class="stack" onSubmit={(event) => { event.preventDefault(); save(); }}>
        <div class="field">
          <label for="chat-title">Name</label>
          <input id="chat-title" type="text" maxLength={200} value={title} onInput={(event) => setTitle(event.currentTarget.value)} />
          {fault !== null && <p class="fault" role="alert">{fault}</p>}
        </div>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={close}>Cancel</button>
          <button type="submit" class="button primary" disabled={title.trim() === ""}>Rename</button>
        </div>
      </form>
    </Dialog>
  );
}

function Delete({ conversation, close }: { conversation: ConversationShown; close: () => void }) {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const remove = () => {
    setBusy(true);
    deleteConversation(conversation.id).then(
      () => {
        say("The conversation was deleted.");
        go(paths.chat(), { replace: true });
      },
      (error: unknown) => { setBusy(false); setFault(messageOf(error)); },
    );
  };
  return (
    <Dialog title="Delete the conversation?" close={close}>
      <p>“{conversation.title}” with all its branches{conversation.writing > 0 ? "; what is being written in it is stopped" : ""}. It cannot be brought back.</p>
      {fault !== null && <p class="tone-red small" role="alert">{fault}</p>}
      <div class="dialog-actions">
        <button type="button" class="button" onClick={close}>Cancel</button>
        <button type="button" class="button danger" disabled={busy} onClick={remove}>{busy ? "Sent" : "Delete"}</button>
      </div>
    </Dialog>
  );
}
