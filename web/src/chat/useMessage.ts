import { useEffect, useMemo, useRef } from "preact/hooks";

import { watchMessage } from "./live/run-texts";
import type { Message } from "./types";

/** A message as it is now: while it is written, with each piece of its text. Of a mixture with its proposals. */
export function useMessage(message: Message): Message {
  const whole = (message.agents ?? 0) > 0;
  const was = useRef(false);
  was.current ||= message.status === "writing" || whole;
  const live = useMemo(
    () => (was.current ? watchMessage(message, whole) : null),
    [message.id, was.current, whole, message.status, message.attempt],
  );
  const now = live?.value ?? null;
  return useMemo(() => {
    if (now === null) return message;
    // Both have ended: the conversation was read later, and knows of votes.
    if (now.status !== "writing" && message.status === now.status) return { ...now, ...message, step: message.step ?? now.step, attempt: now.attempt ?? message.attempt, proposals: now.proposals };
    return message.vote ? { ...now, vote: message.vote } : now;
  }, [message, now]);
}

/** Since when something is as it is, in milliseconds since 1970. */
export function useSince(what: string, now: number): number {
  const since = useRef({ what, at: now });
  if (since.current.what !== what) since.current = { what, at: now };
  return since.current.at;
}

/** Whether the component is still there when an answer comes. */
export function useHere(): { current: boolean } {
  const here = useRef(true);
  useEffect(() => {
    here.current = true;
    return () => { here.current = false; };
  }, []);
  return here;
}
