// Sends a message so that it is said once, whatever becomes of the answers: its id is made here, and the same until it is accepted.
import { Problem, Unreachable } from "../api/client";
import { newId } from "./names";
import type { Accepted, Sent } from "./types";

export interface Means {
  send: (sent: Sent) => Promise<Accepted>;
  wait: (ms: number) => Promise<void>;
}

const PAUSES_MS = [500, 1500, 3000];
/** What was sent last and not answered: the same again has the same id. */
let unanswered: { body: string; id: string } | null = null;

/** Say it. Throws what the server refused, or that no answer came: then the same is safely sent again. */
export async function sayOnce(said: Omit<Sent, "message">, text: string, means: Means): Promise<Accepted> {
  const body = JSON.stringify([said, text]);
  const id = unanswered?.body === body ? unanswered.id : newId("msg");
  unanswered = { body, id };
  const sent: Sent = { ...said, message: { id, role: "user", parts: [{ type: "text", text }] } };
  for (let attempt = 0; ; attempt += 1) {
    try {
      const accepted = await means.send(sent);
      unanswered = null;
      return accepted;
    } catch (error) {
      const isAway = error instanceof Unreachable || (error instanceof Problem && error.status >= 500);
      const pause = PAUSES_MS[attempt];
      if (!isAway || pause === undefined) throw error;
      await means.wait(pause);
    }
  }
}
