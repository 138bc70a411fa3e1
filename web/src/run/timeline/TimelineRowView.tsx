import { Fragment } from "preact";

import { StatusMark } from "../../parts/StatusMark";
import { paths } from "../../router";
import { STATUSES, type Status } from "../../theme/statuses";
import { endOf, startOf, waitLabel, type TimelineRow } from "./rows";
import { labelPlace, stretch, type View } from "./scale";

export interface TimelineRowViewProps {
  runId: string;
  row: TimelineRow;
  index: number;
  status: Status;
  view: View;
  width: number;
  now: number;
  focusable: boolean;
  /** What the bars show, for those who do not see them. */
  words: string;
  onFocus: () => void;
  onBlur: () => void;
}

/** A step as a row: its name, and bars for what it did and waited for. The row is a link to the step. */
export function TimelineRowView({ runId, row, index, status, view, width, now, focusable, words, onFocus, onBlur }: TimelineRowViewProps) {
  const places = row.lines.map((line) => stretch(view, width, startOf(line), endOf(line) ?? now));
  const first = row.lines[0];
  // Where nothing of a row is seen it says on which side it is.
  const beyond = first && places.every((place) => place === null) ? (startOf(first) > view.to ? "right" : "left") : null;
  return (
    <a class="timeline-row" href={paths.step(runId, row.step.key)} tabIndex={focusable ? 0 : -1} onFocus={onFocus} onBlur={onBlur} draggable={false}>
      <span class="timeline-label">
        <span aria-hidden="true"><StatusMark status={status} percent={row.step.progress?.percent ?? null} size={14} /></span>
        <span class="truncate">{row.step.label}</span>
        <span class="sr-only">{words}</span>
      </span>
      <span class="timeline-track" aria-hidden="true">
        {beyond && <span class={`timeline-beyond timeline-beyond-${beyond}`} aria-hidden="true">{beyond === "left" ? "‹" : "›"}</span>}
        {row.lines.map((line, at) => {
          const place = places[at];
          if (!place) return null;
          const style = { transform: `translateX(${place.left}px)`, width: `${place.width}px` };
          if (line.kind === "wait") {
            const label = waitLabel(line, now);
            const room = label === "" ? null : labelPlace(place, width, at === row.lines.length - 1);
            return (
              <Fragment key={at}>
                <i data-bar={`${index} ${at}`} class={`timeline-wait ${line.to === null ? "tone-amber" : "tone-grey"}`} style={style} />
                {room && <span class="timeline-why truncate" style={{ transform: `translateX(${room.left}px)`, maxWidth: `${room.width}px` }}>{label}</span>}
              </Fragment>
            );
          }
          return (
            <i key={at} data-bar={`${index} ${at}`} class={`timeline-bar-of tone-${STATUSES[line.status].tone}${line.end === null ? " timeline-open" : ""}`} style={style}>
              {line.status === "failed" && place.width > 14 && <StatusMark status="failed" size={10} />}
            </i>
          );
        })}
      </span>
    </a>
  );
}
