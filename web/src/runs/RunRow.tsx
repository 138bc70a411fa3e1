import { now } from "../now";
import { exactTime } from "../format/times";
import { Bar } from "../parts/Bar";
import { StatusMark } from "../parts/StatusMark";
import { paths } from "../router";
import { shownRunStatus, STATUSES } from "../theme/statuses";
import type { ShownRun } from "./loaded";
import { Tick } from "./Tick";
import { age, doneWords, lineOf, took } from "./words";

export interface RunRowProps {
  row: ShownRun;
  /** Its place among all rows, from 0. */
  index: number;
  /** Pixels from the top of the list. */
  top: number;
  selected: boolean;
  fresh: boolean;
  onSelect: (id: string, range: boolean) => void;
}

/** One run of the list: a row, on a phone a card of two lines. All of it leads to the run. */
export function RunRow({ row, index, top, selected, fresh, onSelect }: RunRowProps) {
  const { run, gone } = row;
  const status = shownRunStatus(run);
  const name = run.name || run.workflow_id;
  const classes = `run-row run-row-${status}${selected ? " run-row-selected" : ""}${fresh ? " run-row-fresh" : ""}${gone ? " run-row-gone" : ""}`;
  return (
    <div
      role="row" class={classes} data-run={run.workflow_id} aria-rowindex={index + 2} style={{ transform: `translateY(${top}px)` }}
      title={gone ? "It does not fit the filters any more." : undefined}
    >
      <span role="cell" class="run-row-select">
        <button
          type="button" role="checkbox" class="run-check" aria-checked={selected} aria-label={`Select ${name}`}
          onClick={(event) => onSelect(run.workflow_id, event.shiftKey)}
        />
      </span>
      <span role="cell" class="run-row-mark" title={STATUSES[status].word}>
        <StatusMark status={status} percent={run.total_steps > 1 ? run.percent : run.step?.percent ?? null} />
      </span>
      <span role="cell" class="run-row-name">
        <a class="run-row-link truncate" href={paths.run(run.workflow_id)}>{name}</a>
        {run.name && run.name !== run.workflow_id && <span class="run-row-id truncate">{run.workflow_id}</span>}
      </span>
      <span role="cell" class="run-row-host truncate" title={run.host ?? undefined}>{run.host ?? ""}</span>
      <span role="cell" class="run-row-progress" title={doneWords(run)}>
        <Bar percent={run.percent} label={doneWords(run)} tone={STATUSES[status].tone} />
        <span class="run-row-count" aria-hidden="true">{run.counts.completed + run.counts.skipped}/{run.total_steps}</span>
      </span>
      <span role="cell" class="run-row-line truncate"><StepLine run={run} /></span>
      <span role="cell" class="run-row-age" title={exactTime(run.start_time)}><Tick text={(at) => age(run.start_time, at)} /></span>
      <span role="cell" class={`run-row-took${run.active ? " run-row-counting" : ""}`}>{run.active ? <Tick text={(at) => took(run, at)} /> : took(run, 0)}</span>
      <span role="cell" class="run-row-by truncate" title={run.started_by}>{run.started_by}</span>
    </div>
  );
}

/** What the run is at: the step, and what it does or waits for. */
function StepLine({ run }: { run: ShownRun["run"] }) {
  // Only what counts down looks at the clock.
  const line = lineOf(run, run.step?.until ? now.value : 0);
  return (
    <span title={[line.label, line.words].filter(Boolean).join(": ") || undefined}>
      {line.waits && <span class="run-row-clock" aria-hidden="true"><StatusMark status="waiting" size={12} /></span>}
      {line.label}
      {line.label && line.words && <span class="run-row-dot" aria-hidden="true"> · </span>}
      {line.words && <span class={line.tone ? `tone-${line.tone}` : "muted"}>{line.words}</span>}
    </span>
  );
}
