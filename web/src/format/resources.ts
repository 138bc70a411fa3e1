// What steps wait on, in words: `lock:file:/x` is the lock file:/x.
const KINDS: Record<string, string | undefined> = {
  budget: "retries of", lock: "lock", place: "place at", rate: "rate limit", breaker: "breaker", throttle: "load of",
};

/** What kind it is, and its name; a kind of "" where it has none that we know. */
export function resource(on: string): { kind: string; name: string } {
  const colon = on.indexOf(":");
  const kind = colon < 0 ? undefined : KINDS[on.slice(0, colon)];
  return kind === undefined ? { kind: "", name: on } : { kind, name: on.slice(colon + 1) };
}
