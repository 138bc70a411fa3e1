// The words of the server for chats, and what events add to them.
import type { components } from "../api/schema.gen";
import type { StepEvent, WaitReason } from "../api/types";
import type { Settings } from "./settings";

type Schemas = components["schemas"];

/** How the step stands that writes a message. */
export interface StepShown {
  key: string;
  status: StepEvent["status"];
  attempt: number;
  waiting_for?: WaitReason | null;
  until?: string | null;
  /** Why it waits, as an event told. */
  why?: string | null;
  /** What the model does, such as "Thinking", and since when. */
  doing?: string | null;
  doing_since?: string | null;
}

export type Message = Omit<Schemas["Message"], "step" | "proposals" | "agents"> & {
  step?: StepShown | null;
  /** Known of a message that was read by itself. */
  proposals?: readonly Message[] | null;
  /** How many agents it is made from. */
  agents?: number;
  /** What those who watch were told last. */
  notice?: string | null;
};

export type Conversation = Schemas["Conversation"];
export type ConversationShown = Omit<Conversation, "messages"> & { messages: readonly Message[]; older: string | null; total: number; settings: Settings };
export type Model = Schemas["ChatModelShown"];
export type Models = Schemas["ChatModelsAnswer"];
export type Accepted = Schemas["ChatAcceptedAnswer"];
export type Rating = Schemas["Rating"];
export type Ratings = Schemas["RatingsAnswer"];
export type ConversationsPage = Schemas["ConversationsAnswer"];
export type Verdict = Schemas["Vote"];

export interface Mixture {
  proposers: readonly string[];
  aggregator: string;
}

/** What `POST /api/chat` is told. The message's id makes it harmless to send it again. */
export interface Sent {
  id: string;
  message: { id: string; role: "user"; parts: readonly { type: "text"; text: string }[] };
  parent: string | null;
  /** Kept with the conversation, which begins with them. */
  settings?: Settings;
  chatModel?: { provider: string; model: string };
  mixture?: Mixture;
  battle?: readonly string[];
}
