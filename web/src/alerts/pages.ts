// The page that is polled, and the older ones behind it, as one list.
import type { Alert } from "./answer";

/** Each once: what the newer answer says of an alert counts. Open ones first, then by number, newest first, as the server has them. */
export function joined(first: readonly Alert[], older: readonly Alert[]): Alert[] {
  const all = new Map([...older, ...first].map((alert) => [alert.id, alert]));
  return [...all.values()].sort((a, b) => Number(b.status === "open") - Number(a.status === "open") || b.id - a.id);
}
