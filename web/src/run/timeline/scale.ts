// The scale of a timeline: what part of the time is seen, and where its marks stand. Times in milliseconds.

export interface View {
  from: number;
  to: number;
}

const SHORTEST = 20;

const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500,
  1000, 2000, 5000, 10_000, 15_000, 30_000,
  60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
  3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000,
  86_400_000, 172_800_000, 604_800_000, 1_209_600_000, 2_592_000_000,
];

/** The distance between marks so that each has at least so many pixels. */
export function tickStep(view: View, width: number, room = 84): number {
  const least = ((view.to - view.from) / Math.max(1, width)) * room;
  return STEPS.find((step) => step >= least) ?? Math.ceil(least / 2_592_000_000) * 2_592_000_000;
}

/** Where marks stand, counted from `origin`. */
export function ticks(view: View, width: number, origin: number): { at: number; label: string }[] {
  const step = tickStep(view, width);
  const marks: { at: number; label: string }[] = [];
  for (let n = Math.ceil((view.from - origin) / step); origin + n * step <= view.to; n += 1) {
    marks.push({ at: origin + n * step, label: tickLabel(n * step, step) });
  }
  return marks;
}

/** A time since the start, as exact as the marks are apart. */
export function tickLabel(ms: number, step: number): string {
  const sign = ms < 0 ? "−" : "";
  const left = Math.abs(ms);
  if (left === 0) return "0";
  if (left < 1000) return `${sign}${left} ms`;
  const s = left / 1000;
  if (s < 60) return `${sign}${step < 1000 ? s.toFixed(step < 10 ? 3 : step < 100 ? 2 : 1) : s} s`;
  const days = Math.floor(s / 86_400);
  const h = Math.floor(s / 3600) % 24;
  const m = Math.floor(s / 60) % 60;
  const rest = s % 60;
  if (days > 0) return `${sign}${days} d${h > 0 || step < 86_400_000 ? ` ${h} h` : ""}`;
  if (h > 0) return `${sign}${h} h${m > 0 || step < 3_600_000 ? ` ${String(m).padStart(2, "0")} m` : ""}${step < 60_000 ? ` ${two(rest)} s` : ""}`;
  return `${sign}${m} m${rest > 0 || step < 60_000 ? ` ${step < 1000 ? rest.toFixed(1) : two(rest)} s` : ""}`;
}

const two = (value: number): string => String(Math.round(value)).padStart(2, "0");

/** What is seen when all of it is. What still goes on gets room that grows in steps, so that nothing slides all the time. */
export function fit(from: number, to: number, goesOn: boolean): View {
  const length = Math.max(1000, to - from);
  const end = goesOn ? 1000 * 1.2 ** Math.ceil(Math.log((length * 1.03) / 1000) / Math.log(1.2)) : length * 1.02;
  return { from: from - end * 0.01, to: from + end };
}

/** Show less (a factor over 1) or more of the time around a moment, within `all`. */
export function zoomed(view: View, factor: number, around: number, all: View): View {
  const whole = all.to - all.from;
  const length = Math.min(whole, Math.max(Math.min(SHORTEST, whole), (view.to - view.from) / factor));
  const share = (around - view.from) / (view.to - view.from);
  return within({ from: around - share * length, to: around + (1 - share) * length }, all);
}

export function panned(view: View, by: number, all: View): View {
  return within({ from: view.from + by, to: view.to + by }, all);
}

function within(view: View, all: View): View {
  const length = view.to - view.from;
  if (length >= all.to - all.from) return all;
  if (view.from < all.from) return { from: all.from, to: all.from + length };
  if (view.to > all.to) return { from: all.to - length, to: all.to };
  return view;
}

const LEAST_LABEL = 48;

/** Where the words of a stretch stand: within it, else right of it where `free` says that nothing follows. Null: there is no room. */
export function labelPlace(place: { left: number; width: number }, width: number, free: boolean): { left: number; width: number } | null {
  const from = Math.max(0, place.left);
  const within = Math.min(width, place.left + place.width) - from - 8;
  if (within >= LEAST_LABEL * 2) return { left: from + 4, width: within };
  const behind = width - place.left - place.width - 10;
  if (free && behind >= LEAST_LABEL) return { left: place.left + place.width + 6, width: behind };
  return within >= LEAST_LABEL ? { left: from + 4, width: within } : null;
}

/** Where a stretch of time is drawn, in pixels, cut to what is seen; null when nothing of it is. Never too thin to be seen. */
export function stretch(view: View, width: number, from: number, to: number, least = 3): { left: number; width: number } | null {
  const scale = width / (view.to - view.from);
  const left = (from - view.from) * scale;
  const right = Math.max((to - view.from) * scale, left + least);
  if (right < 0 || left > width) return null;
  // A few pixels outside hide the round corners of what goes on there.
  const cut = Math.max(left, -8);
  return { left: cut, width: Math.min(right, width + 8) - cut };
}
