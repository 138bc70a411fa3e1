// Quiet notifications: off until somebody turns them on here, and only for what happens while the page is not seen.
import { computed, signal } from "@preact/signals";

import { go } from "../router";
import { keep, kept, onKept } from "./kept";

const supported = typeof Notification === "function" && window.isSecureContext;
const wanted = signal(kept("notifications") === "on");
const permission = signal<NotificationPermission>(supported ? Notification.permission : "denied");
onKept("notifications", (value) => (wanted.value = value === "on"));

export type Notifying = "off" | "on" | "blocked" | "unsupported";

/** Whether this browser will tell of runs; `blocked`: the browser was told never to. */
export const notifying = computed<Notifying>(() => {
  if (!supported) return "unsupported";
  if (permission.value === "denied") return "blocked";
  return wanted.value && permission.value === "granted" ? "on" : "off";
});

/** Turn them on; the browser asks for its permission. Call it on a click only. */
export async function turnNotificationsOn(): Promise<void> {
  if (!supported) return;
  permission.value = await Notification.requestPermission();
  wanted.value = permission.value === "granted";
  keep("notifications", wanted.value ? "on" : null);
}

export function turnNotificationsOff(): void {
  wanted.value = false;
  keep("notifications", null);
}

/**
 * Tell of something while the page is hidden, if that is wanted; a click on it leads to `href`. Said by several tabs it is shown
 * once, and a later one about the same address replaces it.
 */
export function notifyWhenHidden(title: string, body: string, href: string): void {
  if (!document.hidden || notifying.peek() !== "on") return;
  let shown: Notification;
  try {
    shown = new Notification(title, { body, tag: href, icon: "/static/mark.svg", silent: true });
  } catch {
    // Phones allow this to service workers only, and we have none: the page itself says it when it is seen again.
    return;
  }
  shown.onclick = () => {
    window.focus();
    go(href);
    shown.close();
  };
}
