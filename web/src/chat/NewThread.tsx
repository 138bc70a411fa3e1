import { useEffect, useRef, useState } from "preact/hooks";

import { go, NEW_CHAT, paths } from "../router";
import { whyNotOperator } from "../session";
import type { Models } from "./types";
import type { Asked } from "./asked";
import { Composer } from "./Composer";
import { keepConversation } from "./conversation";
import { BeforeIcon } from "./icons";
import { draftSettings, keepDraft, keepDraftSettings } from "./drafts";
import { NONE, wordsOf } from "./settings";
import { forgetBegun, sayIn } from "./useSaying";

const EXAMPLES = [
  "Explain what a circuit breaker is, with an example",
  "Write a Python script that sorts photos into folders by month",
  "Compare a queue in PostgreSQL with one in Redis, as a table",
  "Plan a day in Lisbon with two children, by tram and on foot",
];

/** Where a conversation begins. */
export function NewThread({ models, asked, choose, begun }: { models: Models | null; asked: Asked; choose: (asked: Asked) => void; begun: () => void }) {
  const [sending, setSending] = useState<string | null>(null);
  const [settings, setSettings] = useState(draftSettings);
  /** Which example was taken: what is typed begins with it. */
  const [taken, setTaken] = useState(0);
  const field = useRef<HTMLTextAreaElement>(null);
  const take = (example: string) => {
    keepDraft(NEW_CHAT, example);
    setTaken(taken + 1);
  };
  useEffect(() => {
    if (taken === 0) return;
    field.current?.focus();
    field.current?.setSelectionRange(field.current.value.length, field.current.value.length);
  }, [taken]);
  const send = async (text: string) => {
    const conversation = await sayIn(null, null, text, asked, wordsOf(settings).length > 0 ? settings : null);
    forgetBegun();
    keepDraftSettings(NONE);
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
            {whyNotOperator.value === null && (
              <ul class="thread-examples" aria-label="Examples">
                {EXAMPLES.map((example) => <li key={example}><button type="button" class="button" onClick={() => take(example)}>{example}</button></li>)}
              </ul>
            )}
          </div>
        ) : <div class="question question-pending" role="status"><div class="question-text">{sending}</div><p class="muted small">Sending</p></div>}
      </div>
      <div class="thread-foot">
        <Composer
          key={taken} draft={NEW_CHAT} models={models} asked={asked} choose={choose} field={field} sending={setSending} send={send} hold={null} stop={null} editLast={null}
          settings={settings} began="" keep={async (next) => { setSettings(next); keepDraftSettings(next); }}
        />
      </div>
    </>
  );
}
