import { useState } from "preact/hooks";

import { clock, duration } from "../format/durations";
import { exactTime, shortTime } from "../format/times";
import { now } from "../now";
import { whyNotOperator } from "../session";
import type { Alert } from "./answer";
import { History } from "./History";
import type { AlertAct } from "./NoteDialog";
import { SeverityMark } from "./SeverityMark";
import { placeOf, ruleName, valueWords } from "./words";

/** One alert: how grave, what, about what, since when, who has seen it; and what can be done. */
export function AlertRow({ alert, ask }: { alert: Alert; ask: (act: AlertAct) => void }) {
  const [open, setOpen] = useState(false);
  const why = whyNotOperator.value;
  const place = placeOf(alert);
  const is = alert.status === "open";
  const since = Date.parse(alert.openedAt);
  return (
    <li class={`alert-row alert-${alert.severity}${is ? "" : " alert-over"}`} data-alert={alert.id}>
      <div class="alert-said">
        <p class="alert-head">
          <SeverityMark alert={alert} />
          <strong>{ruleName(alert.rule)}</strong>
          <code class="alert-subject truncate" title={alert.subject}>{alert.subject}</code>
          <time class="alert-since" title={`Since ${exactTime(alert.since)}`}>
            {is ? `for ${clock(now.value - Date.parse(alert.since))}` : `${shortTime(alert.openedAt, now.value)}, for ${duration(Date.parse(alert.resolvedAt ?? alert.seenAt) - since)}`}
          </time>
        </p>
        <p class="alert-message">{alert.message}</p>
        <p class="alert-facts">
          {valueWords(alert) !== null && <span>{valueWords(alert)}</span>}
          {alert.acknowledgedAt !== null && <span title={exactTime(alert.acknowledgedAt)}>seen by {alert.acknowledgedBy}{alert.acknowledgeNote ? `: ${alert.acknowledgeNote}` : ""}</span>}
          {alert.resolvedAt !== null && <span title={exactTime(alert.resolvedAt)}>{alert.resolvedBy === null ? "over by itself" : `resolved by ${alert.resolvedBy}`}{alert.resolveNote ? `: ${alert.resolveNote}` : ""}</span>}
        </p>
      </div>
      <div class="alert-do">
        {is && alert.acknowledgedAt === null && <button type="button" class="button" disabled={why !== null} title={why ?? undefined} onClick={() => ask("acknowledge")}>Acknowledge</button>}
        {is && <button type="button" class="button" disabled={why !== null} title={why ?? undefined} onClick={() => ask("resolve")}>Resolve</button>}
        {place !== null && <a class="button plain alert-place" href={place.href}>{place.word}</a>}
        <button type="button" class="button plain" aria-expanded={open} onClick={() => setOpen(!open)}>History</button>
      </div>
      {open && <History alert={alert} />}
    </li>
  );
}
