import type { Alert } from "./answer";

/** A severity as mark and word; of an alert that is over, that. */
export function SeverityMark({ alert }: { alert: Pick<Alert, "severity" | "status"> }) {
  const over = alert.status === "resolved";
  const tone = over ? "grey" : alert.severity === "critical" ? "red" : "amber";
  return (
    <span class={`severity tone-${tone}`}>
      <svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
        {over ? <path d="M3 8.5l3.2 3.2L13 4.8" stroke-width="2" /> : alert.severity === "critical"
          ? <><path d="M5.2 1.8h5.6l3.4 3.4v5.6l-3.4 3.4H5.2l-3.4-3.4V5.2z" /><path d="M8 4.8v3.8M8 11.1v.1" /></>
          : <><path d="M8 2.2l6.2 11.2H1.8z" /><path d="M8 6.4v3.2M8 11.5v.1" /></>}
      </svg>
      {alert.severity}{over && <span class="sr-only">, over</span>}
    </span>
  );
}
