import { useEffect, useState } from "preact/hooks";

import { clockTime } from "../format/times";
import { counted } from "../format/counts";
import { pollList } from "../live/list";
import { CHECK_MS } from "../live/machine";
import { seen } from "../live/waking";
import { Failed, messageOf } from "../parts/Failed";
import { AlertRow } from "./AlertRow";
import { readAlerts, readOlder, type Alert } from "./answer";
import { alertsLive, onAlertNews } from "./news";
import { NoteDialog, type AlertAct } from "./NoteDialog";
import { joined } from "./pages";
import { noteAlerts } from "./watch";
import "./alerts.css";

/** What is wrong just now, and what was. */
export default function AlertsPage() {
  const [list] = useState(() => pollList(readAlerts, { everyMs: 5000, live: alertsLive, liveEveryMs: CHECK_MS }));
  useEffect(() => () => list.close(), []);
  useEffect(() => onAlertNews(() => { if (seen()) void list.refresh(); }), []);
  const [older, setOlder] = useState<{ alerts: readonly Alert[]; next: string | null } | null>(null);
  const [reading, setReading] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const [asked, setAsked] = useState<{ id: number; act: AlertAct } | null>(null);
  const page = list.data.value;
  const error = list.error.value;
  useEffect(() => { if (page !== null) noteAlerts(page); }, [page]);

  if (page === null) {
    return <div class="alerts"><h1 class="sr-only">Alerts</h1>{error === null ? <Skeleton /> : <Failed error={error} retry={() => void list.refresh()} />}</div>;
  }
  const alerts = joined(page.alerts, older?.alerts ?? []);
  const next = older === null ? page.next : older.next;
  const open = alerts.filter((alert) => alert.status === "open");
  const over = alerts.filter((alert) => alert.status === "resolved");
  const meant = alerts.find((alert) => alert.id === asked?.id);
  const more = async () => {
    if (next === null) return;
    setReading(true);
    setProblem(null);
    try {
      const answer = await readOlder(next);
      setOlder((before) => ({ alerts: [...(before?.alerts ?? []), ...answer.alerts], next: answer.next }));
    } catch (reason) {
      setProblem(reason);
    }
    setReading(false);
  };
  const rows = (some: readonly Alert[]) => <ul class="card">{some.map((alert) => <AlertRow key={alert.id} alert={alert} ask={(act) => setAsked({ id: alert.id, act })} />)}</ul>;
  return (
    <div class="alerts">
      <h1 class="sr-only">Alerts</h1>
      {error !== null && <p class="alerts-stale" role="status">{messageOf(error)} What is shown is as of {clockTime(list.asOf.value ?? 0)}.</p>}
      <section class="alerts-part" aria-labelledby="alerts-open">
        <div class="alerts-head"><h2 id="alerts-open">Open</h2>{page.open > 0 && <p class="muted small">{counted(page.open, "alert")}, {page.critical} critical, {page.unacknowledged === 0 ? "all acknowledged" : `${page.unacknowledged} not acknowledged`}</p>}</div>
        {open.length === 0 ? <p class="card alerts-nothing">Nothing is wrong just now.</p> : rows(open)}
      </section>
      <section class="alerts-part" aria-labelledby="alerts-over">
        <div class="alerts-head"><h2 id="alerts-over">Over</h2></div>
        {over.length === 0 ? <p class="card alerts-nothing">No alert was opened and is over.</p> : rows(over)}
        {problem !== null && <Failed error={problem} retry={() => void more()} />}
        {next !== null && problem === null && <button type="button" class="button alerts-more" disabled={reading} onClick={() => void more()}>{reading ? "Reading" : "Older ones"}</button>}
      </section>
      {asked !== null && meant && <NoteDialog alert={meant} act={asked.act} refresh={() => list.refresh()} close={() => setAsked(null)} />}
    </div>
  );
}

function Skeleton() {
  return (
    <div class="alerts" aria-busy="true" aria-label="Reading the alerts">
      {[96, 96].map((height, at) => <div key={at} class="card alerts-skeleton" style={{ height: `${height}px` }}><span class="skeleton" style={{ width: "30%" }} /></div>)}
    </div>
  );
}
