// What has not changed stays the same object, so that a component can see by `===` that there is nothing to draw.

/** `after`, made of the parts of `before` that are equal; `before` itself when all are. For JSON values. */
export function share<T>(before: unknown, after: T): T {
  if (Object.is(before, after)) return after;
  if (typeof before !== "object" || typeof after !== "object" || before === null || after === null) return after;
  if (Array.isArray(before) !== Array.isArray(after)) return after;
  if (Array.isArray(after)) {
    const old = before as unknown[];
    let same = old.length === after.length;
    const shared = after.map((part, at) => {
      const kept = share(old[at], part);
      same &&= Object.is(kept, old[at]);
      return kept;
    });
    return (same ? before : shared) as T;
  }
  const old = before as Record<string, unknown>;
  const fresh = after as Record<string, unknown>;
  const names = Object.keys(fresh);
  let same = names.length === Object.keys(old).length;
  const shared: Record<string, unknown> = {};
  for (const name of names) {
    shared[name] = share(old[name], fresh[name]);
    same &&= name in old && Object.is(shared[name], old[name]);
  }
  return (same ? before : shared) as T;
}
