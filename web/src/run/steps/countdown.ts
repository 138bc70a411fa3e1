import { duration } from "../../format/durations";

/** Counted up to whole seconds: `1 s` is the last that is shown. */
export const countdown = (ms: number): string => (ms < 60_000 ? `${Math.ceil(ms / 1000)} s` : duration(ms));
