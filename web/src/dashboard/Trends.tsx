import type { Trend } from "./answer";
import { changeOf, figureOf } from "./words";

/** The average says less than half and 95 % do, and what completed is what did not fail. */
const SHOWN: readonly Trend["name"][] = ["per_minute", "failure_rate", "p50_ms", "p95_ms", "retried", "lost"];
const MARKS: Record<Trend["verdict"], string> = { better: "▲", steady: "", worse: "▼" };

/** Figures of the window, each against the window before. */
export function Trends({ trends }: { trends: readonly Trend[] }) {
  const shown = SHOWN.flatMap((name) => trends.filter((trend) => trend.name === name));
  return (
    <dl class="card trends">
      {shown.map((trend) => {
        const { label, value } = figureOf(trend);
        return (
          <div key={trend.name} class="trend">
            <dt>{label}</dt>
            <dd>
              <strong>{value}</strong>
              <span class={`trend-change trend-${trend.verdict}`}>
                {MARKS[trend.verdict] !== "" && <span aria-hidden="true">{MARKS[trend.verdict]} </span>}
                {changeOf(trend) ?? ""}{trend.verdict === "steady" ? "" : <span class="sr-only">, {trend.verdict}</span>}
              </span>
            </dd>
          </div>
        );
      })}
    </dl>
  );
}
