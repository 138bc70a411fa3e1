// How far back the figures go; part of the address.
import type { WindowName } from "./answer";

export interface Window {
  name: WindowName;
  word: string;
  /** What one bar of a chart is. */
  bucket: "minute" | "hour";
  /** How often the figures are sent, or asked for: those of a week do not change from one second to the next. */
  everyMs: number;
}

export const WINDOWS: readonly Window[] = [
  { name: "5m", word: "5 minutes", bucket: "minute", everyMs: 3000 },
  { name: "1h", word: "1 hour", bucket: "minute", everyMs: 5000 },
  { name: "24h", word: "24 hours", bucket: "hour", everyMs: 15_000 },
  { name: "7d", word: "7 days", bucket: "hour", everyMs: 30_000 },
];

const USUAL = WINDOWS[1]!;

/** The window that the address names; an hour where it names none. */
export const windowOf = (named: string | null): Window => WINDOWS.find((one) => one.name === named) ?? USUAL;

/** What the address says of a window: nothing where it is the usual one. */
export const inAddress = (window: Window): string | null => (window === USUAL ? null : window.name);
