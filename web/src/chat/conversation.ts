// A conversation that is read: asked for again and again, at once when something in it ends or was sent.
import { signal, type ReadonlySignal } from "@preact/signals";

import { pollList } from "../live/list";
import { readConversation, readOlderMessages } from "./api";
import { onEnded } from "./live/run-texts";
import { joined, withOlder } from "./pages";
import type { ConversationShown } from "./types";

/** What is being written is told by itself; the rest changes rarely, and the list of conversations says when. */
const EVERY_MS = 5000;
const MOST_KNOWN = 20;

const known = new Map<string, ConversationShown>();

/** Keep how a conversation stands: it is shown at once when it is gone to. */
export function keepConversation(conversation: ConversationShown): void {
  known.delete(conversation.id);
  known.set(conversation.id, conversation);
  if (known.size > MOST_KNOWN) known.delete(known.keys().next().value!);
}

export interface ConversationFeed {
  readonly shown: ReadonlySignal<ConversationShown | null>;
  readonly error: ReadonlySignal<unknown>;
  readonly asOf: ReadonlySignal<number | null>;
  /** Show this, as the server has accepted it, and read again. */
  accept(conversation: ConversationShown): void;
  refresh(): Promise<void>;
  /** Read the messages before those that are shown, and show them as well. */
  readOlder(): Promise<void>;
  close(): void;
}

export function watchConversation(id: string): ConversationFeed {
  const shown = signal<ConversationShown | null>(known.get(id) ?? null);
  const list = pollList((tag, abort) => readConversation(id, tag, abort), { everyMs: EVERY_MS });
  const stop = list.data.subscribe((found) => {
    if (found === null) return;
    const whole = joined(shown.peek(), found);
    keepConversation(whole);
    shown.value = whole;
  });
  const stopHearing = onEnded((message) => { if (message.conversation_id === id) void list.refresh(); });
  return {
    shown, error: list.error, asOf: list.asOf,
    accept(conversation) {
      keepConversation(conversation);
      shown.value = conversation;
      void list.refresh();
    },
    refresh: list.refresh,
    async readOlder() {
      const before = shown.peek()?.older;
      if (!before) return;
      const page = await readOlderMessages(id, before);
      const now = shown.peek();
      if (now === null || now.older !== before) return;
      const more = withOlder(now, page);
      keepConversation(more);
      shown.value = more;
    },
    close() {
      stop();
      stopHearing();
      list.close();
    },
  };
}
