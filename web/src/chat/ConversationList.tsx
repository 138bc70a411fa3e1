import { useState } from "preact/hooks";

import { ago, exactTime } from "../format/times";
import { counted } from "../format/counts";
import type { ListFeed } from "../live/list";
import { now } from "../now";
import { Failed, messageOf } from "../parts/Failed";
import { StatusMark } from "../parts/StatusMark";
import { NEW_CHAT, paths } from "../router";
import { readOlderConversations } from "./api";
import { NewIcon } from "./icons";
import type { Conversation, ConversationsPage } from "./types";

/** All conversations, the last changed first; those in which something is being written say so. */
export function ConversationList({ list, open }: { list: ListFeed<ConversationsPage>; open: string | null }) {
  const [older, setOlder] = useState<Pick<ConversationsPage, "conversations" | "next"> | null>(null);
  const [fault, setFault] = useState<unknown>(null);
  const page = list.data.value;
  const error = list.error.value;
  const all = page === null ? [] : merged(page.conversations, older?.conversations ?? []);
  const next = older === null ? page?.next : older.next;
  const readMore = () => {
    if (!next) return;
    readOlderConversations(next).then(
      (found) => { setFault(null); setOlder((known) => ({ conversations: [...(known?.conversations ?? []), ...found.conversations], next: found.next })); },
      setFault,
    );
  };
  return (
    <nav class="conversations" aria-label="Conversations">
      <div class="conversations-head">
        <a class="button conversations-new" href={paths.chat(NEW_CHAT)} aria-keyshortcuts="n"><NewIcon />New chat</a>
        <a class="button plain" href={paths.ratings()}>Ratings</a>
      </div>
      {page === null ? (error === null ? <Skeleton /> : <div class="conversations-part"><Failed error={error} retry={() => void list.refresh()} /></div>) : (
        <>
          {error !== null && <p class="conversations-part muted small" role="status">{messageOf(error)} The list is as it was last known.</p>}
          {all.length === 0 && <p class="conversations-part muted small">Nothing was said yet. What you begin is kept here, and goes on when you close this page.</p>}
          <ul class="conversations-all">{all.map((one) => <li key={one.id}><Row conversation={one} current={one.id === open} /></li>)}</ul>
          {next && <button type="button" class="button plain conversations-more" onClick={readMore}>Show older</button>}
          {fault !== null && <p class="conversations-part small tone-red" role="alert">{messageOf(fault)}</p>}
        </>
      )}
    </nav>
  );
}

function Row({ conversation, current }: { conversation: Conversation; current: boolean }) {
  const { writing } = conversation;
  return (
    <a class="conversation" href={paths.chat(conversation.id)} aria-current={current ? "page" : undefined}>
      <span class="conversation-title">{conversation.title}</span>
      <span class="conversation-line">
        {writing > 0 ? (
          <span class="conversation-writing"><span aria-hidden="true"><StatusMark status="in_progress" size={12} /></span>{writing === 1 ? "being written" : `${counted(writing, "answer")} being written`}</span>
        ) : <Ago at={conversation.updated_at} />}
        <span class="conversation-by truncate">{conversation.created_by}</span>
      </span>
    </a>
  );
}

function Ago({ at }: { at: string }) {
  return <span title={exactTime(at)}>{ago(at, now.value)}</span>;
}

/** The newest page, and what was read of older ones. */
function merged(page: readonly Conversation[], older: readonly Conversation[]): readonly Conversation[] {
  const newest = new Set(page.map((one) => one.id));
  return [...page, ...older.filter((one) => !newest.has(one.id))];
}

function Skeleton() {
  return (
    <div class="conversations-part" aria-busy="true" aria-label="Reading the conversations">
      {[70, 45, 60, 50].map((width, at) => <div key={at} class="conversations-skeleton"><span class="skeleton" style={{ width: `${width}%` }} /><span class="skeleton" style={{ width: "30%" }} /></div>)}
    </div>
  );
}
