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
