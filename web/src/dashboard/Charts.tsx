import { useMemo } from "preact/hooks";

import { duration } from "../format/durations";
import { Later } from "../parts/Later";
import type { Metrics } from "./answer";
import { Part } from "./Part";
import { barsOf, linesOf } from "./series";
import type { Row } from "./TimeChart";
import type { Window } from "./windows";
import { took } from "./words";

const timeChart = () => import("./TimeChart");
const whole = (value: number): string => value.toLocaleString("en");
const COUNTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 1_000_000];
const TIMES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000];

/** How much ended, and how long it took. */
export function Charts({ metrics, window }: { metrics: Metrics; window: Window }) {
  const { points, steps } = metrics;
  const { bucket, word: span } = window;
  const ended = useMemo(() => {
    const bars = barsOf(points, bucket);
    const rows: Row[] = [
      { word: "ended", token: "--accent", values: bars.ended, whole: whole(steps.completed + steps.fallbacks + steps.failed) },
      { word: "of them failed", token: "--red", values: bars.failed, whole: whole(steps.failed) },
    ];
    return { at: bars.at, rows };
  }, [points, bucket]);
  const took95 = useMemo(() => {
    const lines = linesOf(points, bucket);
    const rows: Row[] = [
      { word: "half at most", token: "--accent", values: lines.p50, whole: took(steps.p50Ms) },
      { word: "95 % at most", token: "--amber", values: lines.p95, whole: took(steps.p95Ms) },
    ];
    return { at: lines.at, rows };
  }, [points, bucket]);
  return (
    <div class="dash-two">
      <Part title="Steps that ended" note={`a ${bucket}; the last one goes on`}>
        <div class="card dash-chart"><Later load={timeChart} props={{ ...ended, label: "Steps that ended", bucket, span, kind: "bars" as const, say: whole, least: 4, steps: COUNTS }} /></div>
      </Part>
      <Part title="How long attempts took">
        <div class="card dash-chart"><Later load={timeChart} props={{ ...took95, label: "How long attempts took", bucket, span, kind: "lines" as const, say: duration, least: 100, steps: TIMES }} /></div>
      </Part>
    </div>
  );
}
