// What is done in a conversation: each thing is asked of the server, shown as asked for, and shown as done when it says so.
import { useState } from "preact/hooks";

import { messageOf } from "../parts/Failed";
import { say } from "../parts/notices";
import { me } from "../session";
import { regenerate, retryMessage, sendMessage, stopMessage, vote, type Again } from "./api";
import { withAccepted, withAnswers } from "./accepted";
import { request, type Asked } from "./asked";
import type { ConversationFeed } from "./conversation";
import { refreshMessage } from "./live/run-texts";
import { newId, partsOf } from "./names";
import { sayOnce } from "./sending";
import type { Settings } from "./settings";
import { sentence } from "./states";
import type { ConversationShown, Message, Sent, Verdict } from "./types";

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const by = () => me.peek()?.name ?? "";

/** Say something. Answers the conversation as the server has accepted it. `settings`: what a new one begins with. */
export async function sayIn(conversation: ConversationShown | null, parent: string | null, text: string, asked: Asked, settings: Settings | null = null): Promise<ConversationShown> {
  const said: Omit<Sent, "message"> = { id: conversation?.id ?? newChatId(text), parent, ...(settings && { settings }), ...request(asked) };
  const accepted = await sayOnce(said, text, { send: sendMessage, wait });
  const sent: Sent = { ...said, message: { id: accepted.message_id, role: "user", parts: [{ type: "text", text }] } };
  return withAccepted(conversation, sent, accepted, by(), new Date().toISOString());
}

/** A new conversation that is sent again has the same id as before. */
let begun: { text: string; id: string } | null = null;
function newChatId(text: string): string {
  if (begun?.text !== text) begun = { text, id: newId("chat") };
  return begun.id;
}
export const forgetBegun = (): void => { begun = null; };

export interface Saying {
  asked: ReadonlySet<string>;
  stop: (message: Message) => void;
  retry: (message: Message, step: string | null) => void;
  regenerate: (message: Message, model: string | null) => void;
  vote: (battle: string, verdict: Verdict) => void;
}

export function useSaying(feed: ConversationFeed, show: (leaf: string) => void): Saying {
  const [asked, setAsked] = useState<ReadonlySet<string>>(new Set());
  const mark = (id: string, on: boolean) => setAsked((old) => {
    const next = new Set(old);
    if (on) next.add(id);
    else next.delete(id);
    return next;
  });
  /** Marked as asked for until the server has said what came of it; then for as long as `until` says. */
  const doing = (id: string, what: string, ask: () => Promise<unknown>, stays: boolean) => {
    mark(id, true);
    ask().then(
      () => { if (!stays) mark(id, false); },
      (error: unknown) => {
        mark(id, false);
        say(`${what}. ${sentence(messageOf(error))}`, "failed");
      },
    );
  };
  return {
    asked,
    // Marked until it has ended: another writing has another id, or is asked for by a retry.
    stop: (message) => doing(message.id, "Not stopped", async () => { await stopMessage(message.id); refreshMessage(message); }, true),
    retry: (message, step) => {
      const answer = step === null || message.part === "message" ? message.id : (message.parent ?? message.id);
      mark(answer, false);
      doing(message.id, "Not asked again", async () => {
        await retryMessage(answer, step);
        refreshMessage({ ...message, id: answer });
        await feed.refresh();
      }, false);
    },
    regenerate: (message, model) => doing(message.id, "Not asked", async () => {
      const again: Again = model === null ? sameAgain(message) : { chatModel: partsOf(model) };
      const accepted = await regenerate(message.id, again);
      const now = feed.shown.peek();
      if (now !== null) feed.accept(withAnswers(now, accepted, message.parent ?? accepted.message_id, again.mixture?.proposers.length ?? 0, by(), new Date().toISOString()));
      show(accepted.id);
    }, false),
    vote: (battle, verdict) => doing(battle, "Not voted", async () => {
      await vote(battle, verdict);
      await feed.refresh();
      if (verdict.winner) show(verdict.winner);
    }, false),
  };
}

/** A mixture is asked again with the agents it had. */
function sameAgain(message: Message): Again {
  const agents = message.proposals ?? [];
  const names = agents.map((agent) => agent.model).filter((name): name is string => name !== null);
  if (names.length === 0 || message.model === null) return {};
  return { mixture: { proposers: [...new Set(names)], aggregator: message.model } };
}
