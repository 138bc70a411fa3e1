import { useRef, useState } from "preact/hooks";

import { go, NEW_CHAT, paths } from "../router";
import type { Models } from "./types";
import type { Asked } from "./asked";
import { Composer } from "./Composer";
import { keepConversation } from "./conversation";
import { BeforeIcon } from "./icons";
import { forgetBegun, sayIn } from "./useSaying";

/** Where a conversation begins. */
export function NewThread({ models, asked, choose, begun }: { models: Models | null; asked: Asked; choose: (asked: Asked) => void; begun: () => void }) {
  const [sending, setSending] = useState<string | null>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const send = async (text: string) => {
    const conversation = await sayIn(null, null, text, asked);
    forgetBegun();
    keepConversation(conversation);
    begun();
    go(paths.chat(conversation.id));
  };
  return (
    <>
      <header class="thread-head thread-head-new">
        <a class="button plain icon thread-back" href={paths.chat()} aria-label="All conversations"><BeforeIcon /></a>
        <h1 class="thread-title">New chat</h1>
      </header>
      <div class="thread-content">
        {sending === null ? (
          <div class="thread-empty">
            <p class="thread-empty-head">Ask something.</p>
            <p class="muted">The answer is written on the server: it goes on when you close this page, and any of your devices can read along or stop it.</p>
          </div>
        ) : <div class="question question-pending" role="status"><div class="question-text">{sending}</div><p class="muted small">Sending</p></div>}
      </div>
      <div class="thread-foot">
        <Composer draft={NEW_CHAT} models={models} asked={asked} choose={choose} field={field} sending={setSending} send={send} hold={null} stop={null} />
      </div>
    </>
  );
}
