// Who is signed in, and what the server tells pages before they begin.
import { computed, signal } from "@preact/signals";

import { get, sessionEnded } from "./api/client";
import type { Config, Me, Role } from "./api/types";
import { backoffMs } from "./live/backoff";
import { onWake } from "./live/waking";

export const me = signal<Me | null>(null);
export const config = signal<Config | null>(null);

const ORDER: readonly Role[] = ["viewer", "operator", "admin"];

/** Whether who is signed in may do what needs this role. The server decides; this only says so beforehand. */
export function may(role: Role): boolean {
  return me.value !== null && ORDER.indexOf(me.value.role) >= ORDER.indexOf(role);
}

/** Why a control is off for this person, null when it is not. */
export const whyNotOperator = computed(() => {
  if (me.value === null) return "It is not known yet who you are.";
  return may("operator") ? null : "Your role, viewer, may only look.";
});

let failures = 0;
let retry: ReturnType<typeof setTimeout> | undefined;

/**
 * Read who this is and the settings. The page works without the settings: they only fail to be known. Where no answer comes it
 * tries again by itself.
 */
export async function readSession(): Promise<void> {
  clearTimeout(retry);
  const [who, settings] = await Promise.allSettled([get("/auth/me"), get("/config/workflow")]);
  if (who.status === "fulfilled") {
    me.value = who.value;
    sessionEnded.value = false;
  }
  if (settings.status === "fulfilled") config.value = settings.value;
  clearTimeout(retry);
  if (sessionEnded.peek() || (me.peek() !== null && config.peek() !== null)) failures = 0;
  else retry = setTimeout(() => void readSession(), backoffMs(++failures));
}

/** Whoever comes back to the page may have signed in meanwhile, in another tab. Until the function that is returned is called. */
export const readSessionOnWake = (): (() => void) => onWake(() => { if (sessionEnded.peek()) void readSession(); });

/** Milliseconds between polls, the server's setting. */
export const pollMs = computed(() => (config.value?.poll_interval ?? 2) * 1000);
