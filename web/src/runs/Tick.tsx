import { now } from "../now";

/** Words that change with the time; only they are drawn again. */
export function Tick({ text }: { text: (nowMs: number) => string }) {
  return <>{text(now.value)}</>;
}
