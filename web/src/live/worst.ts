import type { Connection } from "./feed";

const ORDER: readonly Connection["kind"][] = ["live", "polling", "connecting", "offline"];

/** The worst of several; of two that are away the one that has been so for longer. */
export function worst(all: readonly Connection[]): Connection {
  let found: Connection = { kind: "live" };
  for (const one of all) {
    const by = ORDER.indexOf(one.kind) - ORDER.indexOf(found.kind);
    if (by > 0 || (by === 0 && one.kind === "offline" && found.kind === "offline" && (one.asOf ?? 0) < (found.asOf ?? 0))) found = one;
    if (one.kind === "polling" && found.kind === "polling" && one.everyMs > found.everyMs) found = one;
  }
  return found;
}

/** Whether two say the same in the top bar. */
export function sameWord(one: Connection, other: Connection): boolean {
  if (one.kind === "polling" && other.kind === "polling") return one.everyMs === other.everyMs;
  if (one.kind === "offline" && other.kind === "offline") return one.asOf === other.asOf;
  return one.kind === other.kind;
}
