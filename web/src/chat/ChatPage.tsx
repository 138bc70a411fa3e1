import { useEffect, useMemo, useState } from "preact/hooks";

import { keep, kept } from "../frame/kept";
import { bindKeys } from "../keys";
import { pollList } from "../live/list";
import { Boundary } from "../parts/Boundary";
import { go, NEW_CHAT, paths } from "../router";
import { readConversations, readModels } from "./api";
import { known, NOBODY, type Asked } from "./asked";
import { ConversationList } from "./ConversationList";
import { forgetAll, onEnded } from "./live/run-texts";
import { NewThread } from "./NewThread";
import { Thread } from "./Thread";
import "./chat.css";

/** Models come and go with settings, that is with a server that begins again. */
const MODELS_MS = 60_000;

/** Conversations at the left, one of them beside; on a phone either. */
export default function ChatPage({ conversation }: { conversation: string | null }) {
  const [list] = useState(() => pollList(readConversations));
  const [offered] = useState(() => pollList(async () => ({ answer: await readModels(), tag: null }), { everyMs: MODELS_MS }));
  useEffect(() => () => {
    list.close();
    offered.close();
    forgetAll();
  }, []);
  useEffect(() => onEnded((message) => { if (message.part === "message") void list.refresh(); }), []);
  useEffect(() => bindKeys([{ keys: "n", label: "New chat", group: "Chat", act: () => go(paths.chat(NEW_CHAT)) }]), []);

  const models = offered.data.value;
  const [wanted, setWanted] = useState<Asked>(wantedBefore);
  const asked = useMemo(() => (models === null ? wanted : known(wanted, models.models, models.default)), [wanted, models]);
  const choose = (next: Asked) => {
    setWanted(next);
    keep("chat.asked", JSON.stringify(next));
  };
  const given = { models, asked, choose };
  const open = conversation === NEW_CHAT ? null : conversation;
  return (
    <div class={conversation === null ? "chat chat-at-list" : "chat chat-at-thread"}>
      <ConversationList list={list} open={open} />
      <section class="thread" aria-label={open === null ? "New chat" : "Conversation"}>
        <Boundary key={open ?? NEW_CHAT} what="This conversation">
          {open === null ? <NewThread {...given} begun={() => void list.refresh()} /> : <Thread id={open} {...given} />}
        </Boundary>
      </section>
    </div>
  );
}

/** Whom one asked last, in this browser. */
function wantedBefore(): Asked {
  try {
    return { ...NOBODY, ...(JSON.parse(kept("chat.asked") ?? "{}") as Partial<Asked>) };
  } catch {
    return NOBODY;
  }
}
