import { useEffect, useState } from "preact/hooks";

import { get } from "../api/client";
import { exactTime, shortTime } from "../format/times";
import { now } from "../now";
import { Dialog } from "../parts/Dialog";
import { Failed } from "../parts/Failed";
import type { BreakerChange } from "./answer";
import { BreakerMark } from "./BreakerMark";
import { breakerLook } from "./words";

/** When a breaker changed, and why, newest first. */
export function BreakerHistory({ name, close }: { name: string; close: () => void }) {
  const [found, setFound] = useState<{ changes: readonly BreakerChange[]; next: number | null } | null>(null);
  const [error, setError] = useState<unknown>(null);
  const read = async (cursor: number | null) => {
    setError(null);
    try {
      const answer = await get("/api/orchestration/circuit-breakers/changes", { query: { name, limit: 50, ...(cursor === null ? {} : { cursor }) } });
      setFound((before) => ({ changes: [...(cursor === null ? [] : before?.changes ?? []), ...answer.changes], next: answer.next }));
    } catch (reason) {
      setError(reason);
    }
  };
  useEffect(() => { void read(null); }, [name]);
  return (
    <Dialog title={`Changes of the breaker ${name}`} close={close}>
      {found === null && error === null && <div class="dash-skeleton" aria-busy="true" aria-label="Reading the changes"><span class="skeleton" /></div>}
      {found?.changes.length === 0 && <p class="muted">It did not change in the last 90 days.</p>}
      {found !== null && found.changes.length > 0 && (
        <ol class="breaker-changes">
          {found.changes.map((change) => {
            const look = breakerLook({ state: change.after, forced: null });
            return (
              <li key={change.id}>
                <span class={`breaker-state tone-${look.tone}`}><BreakerMark mark={look.mark} />{look.word}</span>
                <span class="breaker-change-why">{change.why}</span>
                <time class="muted small" title={exactTime(change.at)}>{shortTime(change.at, now.value)}</time>
              </li>
            );
          })}
        </ol>
      )}
      {error !== null && <Failed error={error} retry={() => void read(found?.next ?? null)} />}
      <div class="dialog-actions">
        {found?.next != null && error === null && <button type="button" class="button" onClick={() => void read(found.next)}>Older ones</button>}
        <button type="button" class="button" onClick={close} autofocus>Close</button>
      </div>
    </Dialog>
  );
}
