// What the charts draw. Times are seconds since 1970; a point's place is the middle of its minute or hour.
import type { Point } from "./answer";

export interface Bars {
  at: number[];
  /** All that ended: what failed stands in front of it. */
  ended: number[];
  failed: number[];
}

export interface Lines {
  at: number[];
  p50: (number | null)[];
  p95: (number | null)[];
}

const BUCKET_S = { minute: 60, hour: 3600 } as const;
type Bucket = keyof typeof BUCKET_S;

const placeOf = (point: Pick<Point, "at">, bucket: Bucket): number => Date.parse(point.at) / 1000 + BUCKET_S[bucket] / 2;

export const barsOf = (points: readonly Point[], bucket: Bucket): Bars => ({
  at: points.map((point) => placeOf(point, bucket)),
  ended: points.map((point) => point.completed + point.fallbacks + point.failed),
  failed: points.map((point) => point.failed),
});

export const linesOf = (points: readonly Point[], bucket: Bucket): Lines => ({
  at: points.map((point) => placeOf(point, bucket)),
  p50: points.map((point) => point.p50Ms),
  p95: points.map((point) => point.p95Ms),
});

/** From the first bucket's beginning to the last one's end. */
export function spanOf(at: readonly number[], bucket: Bucket): [number, number] {
  const half = BUCKET_S[bucket] / 2;
  const first = at[0] ?? Date.now() / 1000;
  return [first - half, (at[at.length - 1] ?? first) + half];
}

/** The upper end of an axis that begins at zero. */
export const topOf = (most: number | null | undefined, least: number): number => Math.max(least, (most ?? 0) * 1.15);
