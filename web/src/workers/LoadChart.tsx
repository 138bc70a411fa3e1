import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { clockTime } from "../format/times";
import { colour, isDark } from "../theme/colours";
import { load, type Load } from "./load";
import { counted } from "./overview";
import "./load-chart.css";

const HEIGHT = 168;
/** The first minutes are drawn over this long at least, so that the lines grow from the left and do not stretch. */
const LEAST_S = 120;

/** Steps ready and in progress over the time that this page is open. */
export default function LoadChart({ atMost }: { atMost: number }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [pointed, setPointed] = useState<number | null>(null);
  const dark = isDark();
  const data = load.value;

  useEffect(() => {
    const element = place.current!;
    const made = new uPlot(options(element.clientWidth, (index) => setPointed(index)), series(load.peek()), element);
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [dark]);
  useEffect(() => plot.current?.setData(series(data)), [data]);

  const at = pointed !== null && data.ready[pointed] != null ? pointed : data.at.length - 1;
  return (
    <figure class="load-chart">
      <figcaption class="load-chart-legend">
        <span class="load-chart-key load-chart-working"><strong>{said(data.working[at], atMost)}</strong> in progress</span>
        <span class="load-chart-key load-chart-ready"><strong>{said(data.ready[at], atMost)}</strong> ready</span>
        <span class="load-chart-when">{pointed === null || data.at[at] === undefined ? "now" : clockTime(data.at[at]! * 1000)}</span>
      </figcaption>
      <div ref={place} class="load-chart-plot" aria-hidden="true" />
    </figure>
  );
}

const said = (count: number | null | undefined, atMost: number): string => (count === null || count === undefined ? "–" : counted(count, atMost));
const series = ({ at, working, ready }: Load): uPlot.AlignedData => [at, working, ready];

function options(width: number, point: (index: number | null) => void): uPlot.Options {
  const grid = { stroke: colour("--line"), width: 1 };
  const axis = { stroke: colour("--text-2"), font: "12px system-ui, sans-serif", ticks: { show: false } };
  const stepped = uPlot.paths.stepped!({ align: 1 });
  const line = (token: string, fill?: string): uPlot.Series => ({
    stroke: colour(token), width: 1.5, paths: stepped, points: { show: false }, spanGaps: false, ...(fill ? { fill: colour(fill) } : {}),
  });
  return {
    width, height: HEIGHT, legend: { show: false }, padding: [8, 36, 0, 0],
    scales: {
      x: {
        time: true,
        // By the data itself: what uPlot proposes for a single point is a whole day.
        range: (made) => {
          const at = made.data[0];
          const begin = at[0] ?? Date.now() / 1000;
          return [begin, Math.max(at[at.length - 1] ?? begin, begin + LEAST_S)];
        },
      },
      y: { range: (_, __, most: number | null) => [0, Math.max(4, Math.ceil((most ?? 0) * 1.15))] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 26, space: 90, values: (_, all) => all.map((at) => clockTime(at * 1000)) },
      { ...axis, grid, size: 44, space: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000], values: (_, all) => all.map((count) => count.toLocaleString("en")) },
    ],
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    series: [{}, line("--accent", "--accent-ground"), line("--amber")],
    hooks: { setCursor: [(made) => point(made.cursor.idx ?? null)] },
  };
}
