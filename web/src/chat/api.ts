// What the page asks the server about chats.
import { call, get, getTagged, post, type Tagged } from "../api/client";
import type { Settings } from "./settings";
import type { Accepted, ConversationShown, ConversationsPage, Message, Mixture, Models, Ratings, Sent, Verdict } from "./types";

export const PAGE = 40;

export const readMessage = async (id: string, signal?: AbortSignal): Promise<Message> =>
  (await get("/api/chat/messages/{message_id}", { path: { message_id: id }, ...(signal ? { signal } : {}) })) as Message;

export const readConversations = (tag: string | null, signal: AbortSignal): Promise<Tagged<ConversationsPage>> =>
  getTagged("/api/chat/conversations", tag, { query: { limit: PAGE }, signal });

export const readOlderConversations = (next: NonNullable<ConversationsPage["next"]>): Promise<ConversationsPage> =>
  get("/api/chat/conversations", { query: { limit: PAGE, before: next.before, before_id: next.before_id } });

export const readConversation = async (id: string, tag: string | null, signal: AbortSignal): Promise<Tagged<ConversationShown>> =>
  (await getTagged("/api/chat/conversations/{conversation_id}", tag, { path: { conversation_id: id }, signal })) as Tagged<ConversationShown>;

/** The messages before those that are known. */
export const readOlderMessages = async (id: string, before: string): Promise<ConversationShown> =>
  (await get("/api/chat/conversations/{conversation_id}", { path: { conversation_id: id }, query: { before } })) as ConversationShown;

export const readModels = (): Promise<Models> => get("/api/chat/models");

export const readRatings = (tag: string | null, signal: AbortSignal): Promise<Tagged<Ratings>> => getTagged("/api/chat/ratings", tag, { signal });

type Body<P extends "/api/chat" | "/api/chat/messages/{message_id}/regenerate"> = NonNullable<Parameters<typeof post<P>>[1]>["body"];

export const sendMessage = async (sent: Sent): Promise<Accepted> => (await post("/api/chat", { body: sent as Body<"/api/chat"> })) as Accepted;

/** What is other than it was for the answer that is there. */
export interface Again {
  chatModel?: { provider: string; model: string };
  mixture?: Mixture;
}

export const regenerate = async (id: string, asked: Again): Promise<Accepted> =>
  (await post("/api/chat/messages/{message_id}/regenerate", { path: { message_id: id }, body: asked as Body<"/api/chat/messages/{message_id}/regenerate"> })) as Accepted;

export const stopMessage = (id: string): Promise<unknown> => post("/api/chat/messages/{message_id}/stop", { path: { message_id: id } });

/** Ask the model of a failed answer again, or, with `step`, that of one failed agent. */
export const retryMessage = (id: string, step: string | null): Promise<unknown> =>
  post("/api/chat/messages/{message_id}/retry", { path: { message_id: id }, body: step === null ? {} : { step } });

type Change = NonNullable<NonNullable<Parameters<typeof call<"patch", "/api/chat/conversations/{conversation_id}">>[2]>["body"]>;

export const changeConversation = (id: string, change: { title?: string; leaf?: string; settings?: Settings }): Promise<unknown> =>
  call("patch", "/api/chat/conversations/{conversation_id}", { path: { conversation_id: id }, body: change as Change });

export const deleteConversation = (id: string): Promise<unknown> =>
  call("delete", "/api/chat/conversations/{conversation_id}", { path: { conversation_id: id } });

export const vote = (battle: string, verdict: Verdict): Promise<unknown> =>
  post("/api/chat/battles/{battle_id}/vote", { path: { battle_id: battle }, body: verdict });
