import { useState } from "preact/hooks";

import type { ProgressItem, StepProgress } from "../../api/types";
import { Bar } from "../../parts/Bar";
import { StatusMark } from "../../parts/StatusMark";
import type { Status } from "../../theme/statuses";
import { foldChecklist, hiddenWords, phaseState, SHOWN_WHOLE } from "./checklist";
import { percentOf } from "./percent";
import "./progress.css";

/** Whether a progress needs more room than the line of its message. */
export function isNested(progress: StepProgress | null | undefined): progress is StepProgress {
  return !!progress && ((progress.phases?.length ?? 0) > 0 || (progress.items?.length ?? 0) > 0 || (progress.clipped && (progress.items_total ?? 0) > 0));
}

/** What nests under a step: the phases of a multi-phase one, the items of a checklist. Message and percent are the row's. */
export function ProgressView({ progress }: { progress: StepProgress }) {
  return (
    <div class="step-progress">
      {progress.phases && progress.phases.length > 0 && <Phases progress={progress} />}
      {progress.items && progress.items.length > 0 && <Checklist items={progress.items} />}
      {progress.clipped && (progress.items_total ?? 0) > 0 && <p class="progress-note">{progress.items_total} items, too many to list here: open the step to see them.</p>}
    </div>
  );
}

const MARKS: Record<ProgressItem["state"], Status> = { pending: "pending", active: "in_progress", completed: "completed", failed: "failed" };

function Phases({ progress }: { progress: StepProgress }) {
  return (
    <ol class="phases" aria-label="Phases">
      {progress.phases!.map((phase, place) => {
        const state = phaseState(place, progress.active_phase);
        const percent = state === "completed" ? 100 : state === "active" ? (phase.percent ?? null) : 0;
        return (
          <li key={place} class={`phase phase-${state}`} aria-current={state === "active" ? "step" : undefined}>
            <span class="phase-head">
              <StatusMark status={MARKS[state]} percent={percent} size={14} />
              <span class="truncate">{phase.label}</span>
              {state === "active" && percent !== null && <span class="phase-percent">{Math.round(percent)} %</span>}
            </span>
            <Bar percent={percent} label={phase.label} tone={state === "completed" ? "green" : "accent"} />
          </li>
        );
      })}
    </ol>
  );
}

function Checklist({ items }: { items: readonly ProgressItem[] }) {
  const [whole, setWhole] = useState(false);
  const folded = foldChecklist(items, whole);
  return (
    <div class="checklist">
      <p class="progress-note">
        {folded.done} of {folded.total} done{folded.failed > 0 && <span class="tone-red">, {folded.failed} failed</span>}
      </p>
      <ul aria-label="Items">
        {folded.shown.map(({ item, place }) => <ChecklistItem key={place} item={item} />)}
      </ul>
      {(folded.hidden.length > 0 || (whole && items.length > SHOWN_WHOLE)) && (
        <button type="button" class="checklist-more" aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {whole ? "Show fewer" : `Show ${hiddenWords(folded)}`}
        </button>
      )}
    </div>
  );
}

function ChecklistItem({ item }: { item: ProgressItem }) {
  const percent = percentOf({ type: "percentage", percent: item.percent ?? null, clipped: false });
  return (
    <li class={`checklist-item checklist-item-${item.state}`}>
      <StatusMark status={MARKS[item.state]} percent={item.state === "active" ? percent : null} size={14} />
      <span class="checklist-label truncate">{item.label}</span>
      {item.detail && <span class={`checklist-detail truncate${item.state === "failed" ? " tone-red" : ""}`} title={item.detail}>{item.detail}</span>}
      {item.state === "active" && percent !== null && <span class="checklist-percent">{Math.round(percent)} %</span>}
    </li>
  );
}
