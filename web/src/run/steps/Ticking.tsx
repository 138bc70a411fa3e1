import { useComputed } from "@preact/signals";
import { useRef } from "preact/hooks";

import { clock } from "../../format/durations";
import { now } from "../../now";
import { countdown } from "./countdown";

/** Time since a moment, counted on every second without drawing anything else again. */
export function Elapsed({ since }: { since: string }) {
  const from = useRef(0);
  from.current = Date.parse(since);
  const text = useComputed(() => clock(now.value - from.current));
  return <>{text}</>;
}

/** Time until a moment; `due` once it has come. */
export function Countdown({ untilMs, before, due }: { untilMs: number; before: string; due: string }) {
  const given = useRef({ untilMs, before, due });
  given.current = { untilMs, before, due };
  const text = useComputed(() => {
    const left = given.current.untilMs - now.value;
    return left > 0 ? `${given.current.before} ${countdown(left)}` : given.current.due;
  });
  return <>{text}</>;
}
