import { useEffect, useState } from "preact/hooks";

import { exactTime, shortTime } from "../format/times";
import { now } from "../now";
import { Failed } from "../parts/Failed";
import { paths } from "../router";
import type { Tone } from "../theme/statuses";
import { readAudit, type AuditPage, type AuditRecord } from "./answers";
import { actionInWords, runOf } from "./audit-words";
import { Rows } from "./Rows";

const TONES: Record<string, Tone> = { done: "grey", refused: "amber", failed: "red" };

/** Who did what, newest first, a page at a time. */
export function Audit() {
  const [page, setPage] = useState<AuditPage | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const read = async (cursor: number | null) => {
    setBusy(true);
    try {
      const answer = await readAudit(cursor);
      setPage((old) => ({ next: answer.next, records: cursor === null || old === null ? answer.records : [...old.records, ...answer.records] }));
      setError(null);
    } catch (reason) {
      setError(reason);
    }
    setBusy(false);
  };
  useEffect(() => void read(null), []);
  return (
    <section class="account-part" aria-labelledby="account-audit">
      <div class="account-head">
        <h2 id="account-audit">Audit record</h2>
        <button type="button" class="button" disabled={busy} onClick={() => void read(null)}>Read again</button>
      </div>
      <p class="muted small">Who did what, with what outcome, newest first: signing in, tokens, and every control of a run, also what was refused.</p>
      {page === null && error === null && <Rows count={4} />}
      {page !== null && page.records.length === 0 && <p class="card account-nothing">Nothing has been recorded yet.</p>}
      {page !== null && page.records.length > 0 && (
        <div class="card audit">
          <table>
            <thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">To what</th><th scope="col" class="audit-from">From</th><th scope="col">Outcome</th></tr></thead>
            <tbody>{page.records.map((record) => <Line key={record.id} record={record} />)}</tbody>
          </table>
        </div>
      )}
      {error !== null && <Failed error={error} retry={() => void read(page === null ? null : page.next)} />}
      {page?.next != null && error === null && <button type="button" class="button account-more" disabled={busy} onClick={() => void read(page.next)}>{busy ? "Reading" : "Show older"}</button>}
    </section>
  );
}

function Line({ record }: { record: AuditRecord }) {
  const run = runOf(record);
  return (
    <tr>
      <td class="audit-when" title={exactTime(record.at)}>{shortTime(record.at, now.value)}</td>
      <td class="audit-who">{record.actor} <span class="audit-role">{record.role}</span></td>
      <td class="audit-what">{actionInWords(record.action)}</td>
      <td class="audit-target mono">{run === null ? record.target : <a class="link" href={paths.run(run)}>{run}</a>}</td>
      <td class="audit-from mono">{record.address}</td>
      <td class={`audit-outcome tone-${TONES[record.outcome] ?? "grey"}`}>{record.outcome}</td>
    </tr>
  );
}
