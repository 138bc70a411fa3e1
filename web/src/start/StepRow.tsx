import type { StepState } from "../api/types";
import { counted } from "../format/counts";
import { duration } from "../format/durations";
import { Menu, type MenuItem } from "../parts/Menu";
import { StatusMark } from "../parts/StatusMark";
import { shownStepStatus, STATUSES } from "../theme/statuses";
import { sparing } from "./check";
import type { StepDraft } from "./draft";
import { faultsWithin } from "./form/pointer";
import { Marked } from "./form/Marked";
import { SchemaForm } from "./form/SchemaForm";
import { StepPolicy } from "./StepPolicy";
import { stepSummary } from "./summary";
import type { Reorder } from "./useReorder";
import type { StepListProps } from "./StepList";

interface StepRowProps extends Pick<StepListProps, "editor" | "held" | "whole" | "runAlone"> {
  /** What the row is in its list. */
  as: "li" | "div";
  step: StepDraft;
  index: number;
  last: boolean;
  graph: boolean;
  dragged: boolean;
  handle: ReturnType<Reorder["handle"]>;
  state: StepState | null;
  set: (next: Partial<StepDraft>) => void;
  setKey: (key: string) => void;
  move: (by: number) => void;
  copy: () => void;
  remove: () => void;
}

/** One step of the list: a line, and below it, when it is open, all that may be said about it. */
export function StepRow(props: StepRowProps) {
  const { as: Row, step, index, editor, held, whole, runAlone, state, handle, dragged } = props;
  const open = editor.isOpen(step.id);
  const action = editor.known.actions.get(step.action);
  const faults = faultsWithin(editor.faults, `/steps/${step.id}`);
  const count = Object.keys(faults).length;
  const name = step.label || step.key;
  const panel = `${step.id}-panel`;
  return (
    <Row class={`start-step${step.enabled ? "" : " start-step-off"}${dragged ? " start-step-dragged" : ""}${open ? " start-step-open" : ""}`} data-place={`/steps/${step.id}`} data-index={index}>
      <div class="start-step-line">
        <button
          type="button" class="start-handle" disabled={held} {...handle} aria-label={`Move ${name}: drag it, or use the arrow keys`} title="Drag, or use the arrow keys"
        >
          <svg width="10" height="16" viewBox="0 0 10 16" aria-hidden="true"><path d="M2.5 3v0M7.5 3v0M2.5 8v0M7.5 8v0M2.5 13v0M7.5 13v0" stroke="currentColor" stroke-width="2.5" stroke-linecap="round" /></svg>
        </button>
        <label class="start-toggle" title={held ? "A run is at work on this host" : step.enabled ? "Switched on" : "Switched off: it is skipped"}>
          <input
            type="checkbox" checked={step.enabled} disabled={held} aria-label={`Run ${name}`}
            onChange={(event) => {
              const enabled = event.currentTarget.checked;
              props.set({ enabled });
              // What it cannot run without is asked for at once.
              if (enabled && action && (sparing(action).required ?? []).some((needed) => step.params[needed] === undefined)) editor.setOpen(step.id, true);
            }}
          />
        </label>
        <button type="button" class="start-step-open-button" aria-expanded={open} aria-controls={panel} onClick={() => editor.setOpen(step.id, !open)}>
          <span class="start-step-number">{state !== null && state.status !== "pending" ? <StatusMark status={shownStepStatus(state)} percent={state.progress?.percent ?? null} /> : index + 1}</span>
          <span class="start-step-text">
            <span class="start-step-title">{name}</span>
            <StepLine step={step} state={state} needed={editor.tried || count === 0 ? null : Object.keys(faults)} summary={action?.summary} />
          </span>
          {count > 0 && editor.tried && <span class="start-faults tone-red">{counted(count, "fault")}</span>}
          <code class="start-step-action truncate">{step.action}</code>
          <svg class="start-chevron" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true"><path d="M3 4.5 6 7.5 9 4.5" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" /></svg>
        </button>
        {runAlone && (
          <button
            type="button" class="button plain start-alone" disabled={runAlone.reason !== null || runAlone.busy !== null} title={runAlone.reason ?? `Run only this step: ${name}`}
            aria-label={`Run only ${name}`} onClick={() => runAlone.act(step)}
          >
            {runAlone.busy === step.id ? "Sent" : "Run"}
          </button>
        )}
        <Menu label={`More for ${name}`} className="button plain icon" items={menuItems(props)}>
          <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><path d="M3.5 8v0M8 8v0M12.5 8v0" stroke="currentColor" stroke-width="2.5" stroke-linecap="round" /></svg>
          <span class="sr-only">More for {name}</span>
        </Menu>
      </div>
      {open && (
        <div class="start-step-panel" id={panel}>
          {faults["/action"] !== undefined && <p class="fault" role="alert" data-place={`/steps/${step.id}/action`}>{faults["/action"]}</p>}
          {action !== undefined && stepSummary(step) !== null && <p class="muted small"><Marked text={action.summary} /></p>}
          {whole && <StepNames {...props} faults={faults} />}
          <SchemaForm
            schema={action === undefined ? ANYTHING : sparing(action)} value={step.params} onChange={(params) => props.set({ params })} faults={faultsWithin(faults, "/params")}
            disabled={held} showAll={editor.tried} place={`/steps/${step.id}/params`}
          />
          {whole && <StepPolicy step={step} steps={editor.draft.steps} graph={props.graph} action={action} faults={faults} disabled={held} set={props.set} showAll={editor.tried} />}
        </div>
      )}
    </Row>
  );
}

const ANYTHING = { type: "object", additionalProperties: true };

/** What the server says of the step; before that, what is set, or still needed. */
function StepLine({ step, state, needed, summary }: { step: StepDraft; state: StepState | null; needed: string[] | null; summary: string | undefined }) {
  if (state !== null && state.status !== "pending") {
    const took = state.duration_ms === null || state.duration_ms === undefined ? "" : ` · ${duration(state.duration_ms)}`;
    const said = state.error?.message ?? state.result?.message ?? state.progress?.message;
    return <span class={`start-step-line-two truncate${state.status === "failed" ? " tone-red" : ""}`}>{STATUSES[shownStepStatus(state)].word}{took}{said ? ` · ${said}` : ""}</span>;
  }
  const missing = step.enabled && needed !== null ? needed.filter((place) => place.startsWith("/params/")).map((place) => place.split("/")[2]) : [];
  if (missing.length > 0) return <span class="start-step-line-two truncate tone-amber">needs {[...new Set(missing)].join(", ")}</span>;
  return <span class="start-step-line-two truncate">{stepSummary(step) ?? <Marked text={summary ?? step.action} />}</span>;
}

function StepNames({ step, set, setKey, held, faults }: StepRowProps & { faults: Readonly<Record<string, string>> }) {
  return (
    <div class="start-names">
      <div class="field" data-place={`/steps/${step.id}/label`}>
        <label for={`${step.id}-label`}>Label</label>
        <input id={`${step.id}-label`} type="text" value={step.label} placeholder={step.key} disabled={held} aria-invalid={faults["/label"] ? true : undefined} onInput={(event) => set({ label: event.currentTarget.value })} />
        {faults["/label"] && <p class="fault">{faults["/label"]}</p>}
      </div>
      <div class="field" data-place={`/steps/${step.id}/key`}>
        <label for={`${step.id}-key`}>Key</label>
        <input
          id={`${step.id}-key`} type="text" class="mono" value={step.key} disabled={held} spellcheck={false} autocomplete="off" autocapitalize="off" aria-invalid={faults["/key"] ? true : undefined}
          aria-describedby={`${step.id}-key-hint`} onInput={(event) => setKey(event.currentTarget.value)}
        />
        <p class={faults["/key"] ? "fault" : "hint"} id={`${step.id}-key-hint`}>{faults["/key"] ?? `read as {{ steps.${step.key}.result }}`}</p>
      </div>
    </div>
  );
}

function menuItems({ move, copy, remove, index, last, held, step, runAlone }: StepRowProps): MenuItem[] {
  const busy = held ? "A run is at work on this host." : null;
  return [
    ...(runAlone ? [{ label: "Run only this step", act: () => runAlone.act(step), reason: runAlone.reason }] : []),
    { label: "Move up", act: () => move(-1), reason: busy ?? (index === 0 ? "It is the first." : null) },
    { label: "Move down", act: () => move(1), reason: busy ?? (last ? "It is the last." : null) },
    { label: "Duplicate", act: copy, reason: busy },
    { label: "Remove", act: remove, reason: busy, danger: true },
  ];
}
