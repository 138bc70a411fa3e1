// A conversation as it is once the server has accepted a message: what it said, before it is read again.
import { NONE } from "./settings";
import type { Accepted, ConversationShown, Message, Sent } from "./types";

/** The same conversation, or a new one, with the message and the answers that are written now. */
export function withAccepted(before: ConversationShown | null, sent: Sent, accepted: Accepted, by: string, at: string): ConversationShown {
  const question = empty(accepted.message_id, accepted.conversation_id, sent.parent, by, at);
  const text = sent.message.parts.map((part) => part.text).join("\n");
  const said: Message = { ...question, role: "user", status: "completed", text, model: null, run_id: accepted.taskId, battle: null };
  const agents = sent.mixture?.proposers.length ?? 0;
  const base = before ?? { id: accepted.conversation_id, title: text.trim().split("\n")[0]!.slice(0, 80), created_by: by, created_at: at, updated_at: at, leaf: null, writing: 0, messages: [], older: null, total: 0, settings: sent.settings ?? NONE };
  const messages = added(base.messages, said);
  return withAnswers({ ...base, messages, total: base.total + messages.length - base.messages.length }, accepted, accepted.message_id, agents, by, at);
}

/** The same with answers to a message that is there. */
export function withAnswers(before: ConversationShown, accepted: Accepted, parent: string, agents: number, by: string, at: string): ConversationShown {
  const answers = accepted.answers.map((id): Message => ({
    ...empty(id, before.id, parent, by, at), role: "assistant", status: "writing", text: "", model: null, run_id: accepted.taskId, battle: accepted.battle ?? null, agents,
  }));
  const messages = answers.reduce(added, before.messages);
  return { ...before, messages, leaf: accepted.id, updated_at: at, writing: before.writing + answers.length, total: before.total + messages.length - before.messages.length };
}

/** What was read meanwhile is newer. */
const added = (messages: readonly Message[], one: Message): readonly Message[] => (messages.some((other) => other.id === one.id) ? messages : [...messages, one]);

const empty = (id: string, conversation: string, parent: string | null, by: string, at: string) => ({
  id, conversation_id: conversation, parent, part: "message" as const, created_by: by, created_at: at,
});
