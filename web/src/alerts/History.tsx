import { useEffect, useState } from "preact/hooks";

import { exactTime, shortTime } from "../format/times";
import { now } from "../now";
import { Failed } from "../parts/Failed";
import { paths } from "../router";
import { readOne, type Alert, type AlertChange } from "./answer";
import { CHANGES } from "./words";

/** What became of an alert, read when it is opened and again when the alert has changed. */
export function History({ alert }: { alert: Alert }) {
  const [changes, setChanges] = useState<readonly AlertChange[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [tries, setTries] = useState(0);
  useEffect(() => {
    let wanted = true;
    readOne(alert.id).then(
      (answer) => { if (wanted) { setChanges(answer.alert.changes); setError(null); } },
      (reason: unknown) => { if (wanted) setError(reason); },
    );
    return () => { wanted = false; };
  }, [alert.id, alert.status, alert.acknowledgedAt, alert.openedAt, tries]);
  if (changes === null) return error === null ? <div class="alert-history" aria-busy="true"><span class="skeleton" /></div> : <Failed error={error} retry={() => setTries(tries + 1)} />;
  return (
    <ol class="alert-history">
      {changes.map((change) => (
        <li key={change.number}>
          <time class="muted" title={exactTime(change.at)}>{shortTime(change.at, now.value)}</time>
          <span>
            {CHANGES[change.change]}{change.actor !== null ? ` by ${change.actor}` : ""}{change.note ? `: ${change.note}` : change.change === "resolved" ? "" : `: ${change.message}`}
            {change.workflowId !== null && <> <a class="link" href={paths.run(change.workflowId)}>who was told</a></>}
          </span>
        </li>
      ))}
    </ol>
  );
}
