import { StatusMark } from "../parts/StatusMark";
import { counted, waitsInWords } from "./overview";

/** What steps wait for, other than a worker. */
export function Waits({ waiting, atMost }: { waiting: Record<string, number>; atMost: number }) {
  const all = waitsInWords(waiting);
  if (all.length === 0) return <p class="card workers-nothing">Nothing waits for a retry, a lock, an answer or a limit.</p>;
  return (
    <ul class="card waits">
      {all.map(({ reason, count, words }) => (
        <li key={reason}><StatusMark status="waiting" /><span><strong>{counted(count, atMost)}</strong> {count === 1 ? "step" : "steps"} {words}</span></li>
      ))}
    </ul>
  );
}
