import { StatusMark } from "../parts/StatusMark";
import { now } from "../now";
import { endState, writingState } from "./states";
import type { Message } from "./types";
import { useSince } from "./useMessage";

/** How a message stands, where its text alone does not say it. */
export function StateLine({ message, stopping = false }: { message: Message; stopping?: boolean }) {
  return message.status === "writing" ? <Writing message={message} stopping={stopping} /> : <Ended message={message} />;
}

/** Counts seconds: a component of its own, so that the text above it is not drawn each second. */
function Writing({ message, stopping }: { message: Message; stopping: boolean }) {
  const at = now.value;
  const { step } = message;
  const since = useSince(`${step?.status} ${step?.attempt} ${step?.doing} ${message.text === ""}`, at);
  const state = stopping ? { status: "stopping" as const, words: "Stopping", more: null } : writingState(message, at, since);
  if (state === null) return null;
  return (
    <p class="chat-state">
      <StatusMark status={state.status} size={14} />
      <span>{state.words}{state.more && <span class="chat-state-more">{state.more}</span>}</span>
    </p>
  );
}

function Ended({ message }: { message: Message }) {
  const state = endState(message);
  if (state === null) return null;
  return (
    <p class={`chat-state chat-state-${state.status}`}>
      <StatusMark status={state.status} size={14} />
      <span>{state.words}{state.more && <span class="chat-state-more">{state.more}</span>}</span>
    </p>
  );
}
