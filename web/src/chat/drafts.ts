// What is typed and not sent, a conversation each, kept in this tab: it survives a reload, and going elsewhere and back.
import { NONE, type Settings } from "./settings";

const PREFIX = "perdure.chat.draft.";
const here = new Map<string, string>();

/** The text that was typed for a conversation; "new" is the one that has not begun. */
export function draftOf(conversation: string): string {
  const known = here.get(conversation);
  if (known !== undefined) return known;
  try {
    return sessionStorage.getItem(PREFIX + conversation) ?? "";
  } catch {
    return "";
  }
}

export function keepDraft(conversation: string, text: string): void {
  here.set(conversation, text);
  try {
    if (text === "") sessionStorage.removeItem(PREFIX + conversation);
    else sessionStorage.setItem(PREFIX + conversation, text);
  } catch {
    // A private window, or one that is full: it lives as long as the page.
  }
}

/** With what settings a conversation is to begin. */
const SETTINGS = "new.settings";

export function draftSettings(): Settings {
  try {
    return { ...NONE, ...(JSON.parse(draftOf(SETTINGS) || "{}") as Partial<Settings>) };
  } catch {
    return NONE;
  }
}

export const keepDraftSettings = (settings: Settings): void => keepDraft(SETTINGS, settings === NONE ? "" : JSON.stringify(settings));
