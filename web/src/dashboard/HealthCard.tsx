import { alertCounts } from "../alerts/watch";
import { counted } from "../format/counts";
import { paths } from "../router";
import type { Health } from "./answer";

const WORDS: Record<Health["status"], string> = { ok: "Healthy", degraded: "Degraded", bad: "In trouble" };

/** How well the system does, and what takes from it. */
export function HealthCard({ health }: { health: Health }) {
  return (
    <div class={`card health health-${health.status}`}>
      <div class="health-score">
        <Gauge score={health.score} />
        <p class="health-number"><strong>{health.score}</strong><span class="sr-only"> of 100</span></p>
      </div>
      <div class="health-said">
        <p class="health-word">{health.causes.length === 0 ? "All is well" : WORDS[health.status]}</p>
        {health.causes.length === 0 ? <p class="muted small">Nothing takes from the score.</p> : (
          <ul class="health-causes">
            {health.causes.map((cause) => (
              <li key={cause.code}><span class="health-points" title={`Takes ${cause.points} of 100 points`}>−{cause.points}</span><span>{cause.message}</span></li>
            ))}
          </ul>
        )}
        <OpenAlerts />
      </div>
    </div>
  );
}

function OpenAlerts() {
  const counts = alertCounts.value;
  if (counts === null || counts.open === 0) return null;
  return <p class="small"><a href={paths.alerts()}>{counted(counts.open, "open alert")}</a>{counts.critical > 0 && `, ${counts.critical} critical`}</p>;
}

const LENGTH = 2 * Math.PI * 34;

/** The score as a ring; its number is within, so that colour is not the only sign. */
function Gauge({ score }: { score: number }) {
  return (
    <svg width="80" height="80" viewBox="0 0 80 80" aria-hidden="true" class="health-gauge">
      <circle cx="40" cy="40" r="34" fill="none" stroke="var(--hover)" stroke-width="7" />
      <circle class="health-arc" cx="40" cy="40" r="34" fill="none" stroke="currentColor" stroke-width="7" stroke-linecap="round" stroke-dasharray={LENGTH} stroke-dashoffset={LENGTH * (1 - score / 100)} transform="rotate(-90 40 40)" />
    </svg>
  );
}
