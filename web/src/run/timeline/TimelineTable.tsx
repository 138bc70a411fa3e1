import { Fragment } from "preact";

import { duration } from "../../format/durations";
import { exactTime, shortTime } from "../../format/times";
import { now } from "../../now";
import { StatusMark } from "../../parts/StatusMark";
import { paths } from "../../router";
import { shownStepStatus } from "../../theme/statuses";
import { endOf, startOf, waitWords, type TimelineRow } from "./rows";

const MOST = 1000;

/** The timeline in words and numbers. */
export function TimelineTable({ runId, rows }: { runId: string; rows: readonly TimelineRow[] }) {
  const moment = now.value;
  const time = (at: number | null) => (at === null ? "–" : <time title={exactTime(at)}>{shortTime(at, moment)}</time>);
  return (
    <div class="timeline-table-box">
      <table class="timeline-table">
        <caption class="sr-only">Attempts of each step, with what was waited for</caption>
        <thead><tr><th scope="col">Step</th><th scope="col">What</th><th scope="col">From</th><th scope="col">To</th><th scope="col">Took</th></tr></thead>
        <tbody>
          {rows.slice(0, MOST).map(({ step, lines }) => (
            <Fragment key={step.key}>
              {(lines.length === 0 ? [null] : lines).map((line, at) => (
                <tr key={at} class={at === 0 ? "timeline-first" : undefined}>
                  {at === 0 && (
                    <th scope="rowgroup" rowSpan={Math.max(1, lines.length)}>
                      <a class="timeline-table-step" href={paths.step(runId, step.key)}><StatusMark status={shownStepStatus(step)} size={14} /> {step.label}</a>
                    </th>
                  )}
                  <td class={line?.kind === "wait" ? "muted" : undefined}>{line === null ? "" : line.kind === "wait" ? waitWords(line, moment) : `attempt ${line.attempt}: ${line.words}`}{line?.kind === "attempt" && line.error ? ` · ${line.error.message}` : ""}</td>
                  <td>{line && time(startOf(line))}</td>
                  <td>{line && time(endOf(line))}</td>
                  <td>{line && duration((endOf(line) ?? moment) - startOf(line))}</td>
                </tr>
              ))}
            </Fragment>
          ))}
        </tbody>
      </table>
      {rows.length > MOST && <p class="muted small">The first {MOST.toLocaleString()} of {rows.length.toLocaleString()} steps; the timeline has all.</p>}
    </div>
  );
}
