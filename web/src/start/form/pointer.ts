// Places in a JSON value (RFC 6901), as the server names them: "" is the whole, "/steps/0/params" a part.

/** What is wrong, by place: one sentence each. */
export type Faults = Readonly<Record<string, string>>;

export const child = (pointer: string, key: string | number): string =>
  `${pointer}/${String(key).replace(/~/g, "~0").replace(/\//g, "~1")}`;

export const segments = (pointer: string): string[] =>
  pointer.split("/").slice(1).map((part) => part.replace(/~1/g, "/").replace(/~0/g, "~"));

/** Whether `pointer` is the place itself or lies below it. */
export const isWithin = (pointer: string, place: string): boolean => pointer === place || pointer.startsWith(`${place}/`);

/** The faults below a place, their pointers counted from there. */
export function faultsWithin(faults: Faults, place: string): Faults {
  const found: Record<string, string> = {};
  for (const [pointer, message] of Object.entries(faults)) {
    if (isWithin(pointer, place)) found[pointer.slice(place.length)] = message;
  }
  return found;
}
