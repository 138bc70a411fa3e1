import { useState } from "preact/hooks";

import { paths } from "../router";
import { AlertRow } from "./AlertRow";
import { NoteDialog, type AlertAct } from "./NoteDialog";
import { alertCounts, openAlerts, refreshAlerts } from "./watch";
import "./alerts.css";

/** What is wrong just now, to be acknowledged or resolved where one is looking. */
export function OpenAlerts() {
  const [asked, setAsked] = useState<{ id: number; act: AlertAct } | null>(null);
  const alerts = openAlerts.value;
  if (alerts === null) return <p class="card alerts-nothing" aria-busy="true">Reading the alerts.</p>;
  const meant = alerts.find((alert) => alert.id === asked?.id);
  const more = (alertCounts.value?.open ?? 0) - alerts.length;
  return (
    <>
      {alerts.length === 0 ? <p class="card alerts-nothing">Nothing is wrong just now.</p>
        : <ul class="card">{alerts.map((alert) => <AlertRow key={alert.id} alert={alert} ask={(act) => setAsked({ id: alert.id, act })} />)}</ul>}
      {more > 0 && <p class="small"><a href={paths.alerts()}>{more} more</a></p>}
      {asked !== null && meant && <NoteDialog alert={meant} act={asked.act} refresh={refreshAlerts} close={() => setAsked(null)} />}
    </>
  );
}
