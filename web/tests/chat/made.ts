import type { Message } from "../../src/chat/types";

/** A message, completed unless said otherwise. */
export function message(id: string, parent: string | null, role: Message["role"] = "assistant", more: Partial<Message> = {}): Message {
  return {
    id, parent, role, conversation_id: "c", part: "message", status: "completed", text: `text of ${id}`, model: role === "assistant" ? "demo/plain" : null,
    run_id: "run_1", battle: null, created_by: "someone", created_at: "2026-11-21T20:00:00Z", ...more,
  };
}
