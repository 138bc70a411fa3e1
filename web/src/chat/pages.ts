// A conversation comes in pages: the last messages are read again and again, older ones when somebody asks for them.
import type { ConversationShown, Message } from "./types";

/** Of how many messages that are known one must be read again, for the page to go on from them without a gap. */
const LAST = 50;

/** What was read, with the older messages that are known; those alone that were read where too much came in between. */
export function joined(before: ConversationShown | null, read: ConversationShown): ConversationShown {
  const fresh = new Set(read.messages.map((one) => one.id));
  if (before === null || !before.messages.slice(-LAST).some((one) => fresh.has(one.id))) return read;
  return { ...read, messages: byAge(before.messages, read.messages), older: before.older };
}

/** With a page of older messages. */
export const withOlder = (shown: ConversationShown, page: ConversationShown): ConversationShown =>
  ({ ...shown, messages: byAge(page.messages, shown.messages), older: page.older });

/** The oldest first, each as it stands in `later` if it is there. Those of one moment stay as they came, in the order of their ids. */
function byAge(earlier: readonly Message[], later: readonly Message[]): readonly Message[] {
  const all = new Map(earlier.map((one) => [one.id, one]));
  for (const one of later) all.set(one.id, one);
  return [...all.values()].sort((one, other) => Date.parse(one.created_at) - Date.parse(other.created_at));
}
