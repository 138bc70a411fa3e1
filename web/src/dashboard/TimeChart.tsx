import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { dayOf, minuteTime } from "../format/times";
import { colour, isDark } from "../theme/colours";
import { spanOf, topOf } from "./series";
import "./chart.css";

const HEIGHT = 180;

export interface Row {
  word: string;
  token: string;
  fill?: string;
  values: readonly (number | null)[];
  /** Of the whole window, shown while nothing is pointed at. */
  whole: string;
}

export interface TimeChartProps {
  label: string;
  at: readonly number[];
  rows: readonly Row[];
  bucket: "minute" | "hour";
  /** What the numbers of the whole window are of: `1 hour`. */
  span: string;
  kind: "bars" | "lines";
  say: (value: number) => string;
  /** The axis reaches up to this at least. */
  least: number;
  steps: number[];
}

/** One message over the time of the window: bars from zero, or lines, with the numbers beside them. */
export default function TimeChart(props: TimeChartProps) {
  const { label, at, rows, bucket, span, kind, say } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [pointed, setPointed] = useState<number | null>(null);
  const dark = isDark();
  const data = [at, ...rows.map((row) => row.values)] as unknown as uPlot.AlignedData;

  useEffect(() => {
    const element = place.current!;
    const made = new uPlot(options(element.clientWidth, props, setPointed), data, element);
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    return () => { watch.disconnect(); made.destroy(); plot.current = null; };
  }, [dark, bucket, kind]);
  useEffect(() => plot.current?.setData(data), [at, rows]);

  const moment = pointed === null ? undefined : at[pointed];
  return (
    <figure class="chart">
      <figcaption class="chart-legend">
        {rows.map((row) => (
          <span key={row.word} class={`chart-key chart-key-${kind}`}>
            <i class="chart-swatch" style={{ color: `var(${row.token})` }} aria-hidden="true" />
            <strong>{moment === undefined ? row.whole : told(row.values[pointed!], say)}</strong> {row.word}
          </span>
        ))}
        <span class="chart-when">{moment === undefined ? span : beginning(bucketStart(moment, bucket) * 1000, bucket)}</span>
      </figcaption>
      <div ref={place} class="chart-plot" role="img" aria-label={`${label}: ${rows.map((row) => `${row.whole} ${row.word}`).join(", ")} in ${span}`} />
    </figure>
  );
}

const told = (value: number | null | undefined, say: (value: number) => string): string => (value === null || value === undefined ? "–" : say(value));
const DAY_S = 86_400;
const beginning = (ms: number, bucket: "minute" | "hour"): string => `${bucket === "hour" ? `${dayOf(ms)}, ` : ""}from ${minuteTime(ms)}`;
const bucketStart = (middle: number, bucket: "minute" | "hour"): number => middle - (bucket === "hour" ? 1800 : 30);

function options(width: number, { rows, bucket, kind, say, least, steps }: TimeChartProps, point: (index: number | null) => void): uPlot.Options {
  const grid = { stroke: colour("--line"), width: 1 };
  const axis = { stroke: colour("--text-2"), font: "12px system-ui, sans-serif", ticks: { show: false } };
  const paths = kind === "bars" ? uPlot.paths.bars!({ size: [0.72, 28], radius: 0.15 }) : uPlot.paths.linear!();
  return {
    width, height: HEIGHT, legend: { show: false }, padding: [8, 30, 0, 0],
    scales: {
      x: { time: true, range: (made) => spanOf(made.data[0] as number[], bucket) },
      y: { range: (_, __, most: number | null) => [0, topOf(most, least)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 30, gap: 8, space: 64, values: (_, all, __, ___, by) => all.map((at) => (by >= DAY_S ? dayOf(at * 1000) : minuteTime(at * 1000))) },
      { ...axis, grid, size: kind === "bars" ? 44 : 62, space: 32, incrs: steps, values: (_, all) => all.map((value) => say(value)) },
    ],
    cursor: { y: false, points: { show: kind === "lines", size: 7 }, drag: { x: false, y: false } },
    series: [{}, ...rows.map((row): uPlot.Series => (kind === "bars"
      ? { stroke: colour(row.token), fill: colour(row.fill ?? row.token), width: 0, paths, points: { show: false } }
      : { stroke: colour(row.token), width: 1.75, paths, points: { show: true, size: 5, fill: colour(row.token) }, spanGaps: false }))],
    hooks: { setCursor: [(made) => point(made.cursor.idx ?? null)] },
  };
}
