// Where ratings stand on a line: 1000, the average, is always on it.
import type { Rating } from "./types";

const AVERAGE = 1000;
const LEAST_SPAN = 100;

export interface Scale {
  /** A rating's place, from 0 to 1. */
  at: (rating: number) => number;
  ticks: readonly number[];
}

export function scaleOf(ratings: readonly Pick<Rating, "rating">[]): Scale {
  const far = Math.max(LEAST_SPAN / 2, ...ratings.map((one) => Math.abs(one.rating - AVERAGE)));
  const step = far <= 100 ? 50 : far <= 250 ? 100 : far <= 500 ? 200 : 400;
  const reach = Math.ceil(far / step) * step;
  const ticks: number[] = [];
  for (let tick = AVERAGE - reach; tick <= AVERAGE + reach; tick += step) ticks.push(tick);
  return { at: (rating) => (rating - (AVERAGE - reach)) / (2 * reach), ticks };
}
