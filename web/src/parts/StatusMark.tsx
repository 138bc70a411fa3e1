import { STATUSES, type Status } from "../theme/statuses";
import { useJump } from "./jump";
import "./status-mark.css";

/** A status as its mark alone; `percent` fills the ring of what is in progress. */
export function StatusMark({ status, percent = null, size = 16 }: { status: Status; percent?: number | null; size?: number }) {
  const { word, mark, tone } = STATUSES[status];
  return (
    <svg class={`mark mark-${mark} tone-${tone}`} width={size} height={size} viewBox="0 0 16 16" role="img" aria-label={word}>
      {shape(mark, percent)}
    </svg>
  );
}

/** A status as mark and word. */
export function StatusBadge({ status, percent = null }: { status: Status; percent?: number | null }) {
  const { word, tone } = STATUSES[status];
  return (
    <span class={`status-badge tone-${tone}`}>
      <span aria-hidden="true" class="status-badge-mark">
        <StatusMark status={status} percent={percent} />
      </span>
      {word}
    </span>
  );
}

const CIRCUMFERENCE = 2 * Math.PI * 6;
/** Below it, the end of a ring moves by a pixel at most. */
const GLIDES_FROM = 4;

/** Filled in whole percents: less than that is not seen on so small a ring. Null: it turns. */
function FilledRing({ percent }: { percent: number | null }) {
  const shown = percent === null ? null : Math.round(percent);
  const glides = useJump(shown, GLIDES_FROM);
  return (
    <>
      <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="2.5" opacity="0.25" />
      <circle
        class={shown === null ? "turning" : glides ? "gliding" : undefined} cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="2.5"
        stroke-dasharray={CIRCUMFERENCE} stroke-dashoffset={CIRCUMFERENCE * (1 - (shown ?? 25) / 100)}
        // What turns has an origin of its own, about which this would move it out of the mark.
        transform={shown === null ? undefined : "rotate(-90 8 8)"}
      />
    </>
  );
}

function shape(mark: string, percent: number | null) {
  const ring = <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.5" />;
  switch (mark) {
    case "ring":
      return ring;
    case "ring-dot":
      return <>{ring}<circle cx="8" cy="8" r="2.5" fill="currentColor" /></>;
    case "ring-fill":
      return <FilledRing percent={percent} />;
    case "clock":
      return <>{ring}<path d="M8 4.5V8l2.3 1.6" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" /></>;
    case "bars":
      return <path d="M5.5 3.5v9M10.5 3.5v9" stroke="currentColor" stroke-width="2.5" stroke-linecap="round" />;
    case "square-ring":
      return (
        <>
          <circle class="turning" cx="8" cy="8" r="6.5" fill="none" stroke="currentColor" stroke-width="1.5" stroke-dasharray="30 11" />
          <rect x="5.5" y="5.5" width="5" height="5" rx="1" fill="currentColor" />
        </>
      );
    case "tick":
      return <path d="M3 8.5l3.2 3.2L13 4.8" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" />;
    case "cross":
      return <path d="M4 4l8 8M12 4l-8 8" stroke="currentColor" stroke-width="2" stroke-linecap="round" />;
    case "dash":
      return <path d="M4 8h8" stroke="currentColor" stroke-width="2" stroke-linecap="round" />;
    default:
      return <rect x="4" y="4" width="8" height="8" rx="1.5" fill="currentColor" />;
  }
}
