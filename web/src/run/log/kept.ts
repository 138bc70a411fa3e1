import { useState } from "preact/hooks";

import { keep, kept } from "../../frame/kept";

/** A choice of the reader that this browser remembers. */
export function useKept(name: string): [boolean, (next: boolean | ((before: boolean) => boolean)) => void] {
  const [on, setOn] = useState(() => kept(name) === "1");
  return [on, (next) => setOn((before) => {
    const value = typeof next === "function" ? next(before) : next;
    keep(name, value ? "1" : null);
    return value;
  })];
}
