import type { Tone } from "../theme/statuses";
import { useJump } from "./jump";
import "./bar.css";

/** Below it, a bar moves by a few pixels at most. */
const GLIDES_FROM = 0.5;

/** A progress bar. `percent` null: under way, how far is not known. `label` is what it measures, for screen readers. */
export function Bar({ percent, label, tone = "accent" }: { percent: number | null; label: string; tone?: Tone }) {
  const shown = percent === null ? null : Math.min(100, Math.max(0, percent));
  const glides = useJump(shown, GLIDES_FROM);
  return (
    <span
      class={`bar tone-${tone}${shown === null ? " bar-unknown" : ""}`} role="progressbar" aria-label={label}
      aria-valuemin={0} aria-valuemax={100} {...(shown === null ? {} : { "aria-valuenow": Math.round(shown) })}
    >
      <span class={glides ? "bar-fill bar-glides" : "bar-fill"} style={{ transform: `scaleX(${(shown ?? 100) / 100})` }} />
    </span>
  );
}
