import type { Tone } from "../theme/statuses";
import "./bar.css";

/** A progress bar. `percent` null: under way, how far is not known. `label` is what it measures, for screen readers. */
export function Bar({ percent, label, tone = "accent" }: { percent: number | null; label: string; tone?: Tone }) {
  const shown = percent === null ? null : Math.min(100, Math.max(0, percent));
  return (
    <span
      class={`bar tone-${tone}${shown === null ? " bar-unknown" : ""}`} role="progressbar" aria-label={label}
      aria-valuemin={0} aria-valuemax={100} {...(shown === null ? {} : { "aria-valuenow": Math.round(shown) })}
    >
      <span class="bar-fill" style={{ transform: `scaleX(${(shown ?? 100) / 100})` }} />
    </span>
  );
}
