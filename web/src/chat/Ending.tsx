import { useEffect, useState } from "preact/hooks";

import { onEnded } from "./live/run-texts";
import { endState } from "./states";
import type { Message } from "./types";

/** Says to screen readers that an answer has ended: its words are there to be read, not called out one by one. */
export function Ending({ id }: { id: string }) {
  const [said, setSaid] = useState("");
  useEffect(() => onEnded((message) => { if (message.conversation_id === id) setSaid(sentenceOf(message)); }), [id]);
  return <p class="sr-only" role="status" aria-live="polite">{said}</p>;
}

function sentenceOf(message: Message): string {
  if (message.part === "proposal") return message.status === "failed" ? "One of the agents failed to respond." : "";
  const words = message.text.trim() === "" ? 0 : message.text.trim().split(/\s+/).length;
  const how = endState(message)?.words;
  return how ? `The answer has ended. ${how}.` : `The answer is complete: ${words} words.`;
}
