import { useRef } from "preact/hooks";

/**
 * Whether what is drawn moved by `least` or more at once, and so glides there. Less is hardly seen, and what is told many times
 * a second would be painted in every frame.
 */
export function useJump(at: number | null, least: number): boolean {
  const last = useRef({ at, jumped: false });
  const before = last.current.at;
  if (before !== at) last.current = { at, jumped: before !== null && at !== null && Math.abs(at - before) >= least };
  return last.current.jumped;
}
