const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DATE = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

/** `12:03:21`, local. */
export const clockTime = (at: string | number | Date): string => CLOCK.format(new Date(at));

/** `12:03`, local. */
export const minuteTime = (at: string | number | Date): string => MINUTE.format(new Date(at));

/** `21 Nov`, local. */
export const dayOf = (at: string | number | Date): string => DATE.format(new Date(at));

/** The time today, else the day with it. */
export function shortTime(at: string | number | Date, now: number): string {
  const then = new Date(at);
  return then.toDateString() === new Date(now).toDateString() ? CLOCK.format(then) : DAY.format(then);
}

/** For the hover: the full local time. */
export const exactTime = (at: string | number | Date): string => EXACT.format(new Date(at));

/** `just now`, `4 min ago`, `3 h ago`, `12 d ago`. */
export function ago(at: string | number | Date, now: number): string {
  const s = Math.max(0, (now - new Date(at).getTime()) / 1000);
  if (s < 10) return "just now";
  if (s < 60) return `${Math.floor(s)} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86_400)} d ago`;
}
