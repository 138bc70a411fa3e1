import { useLayoutEffect, useRef, useState } from "preact/hooks";

import type { StepState } from "../api/types";
import { VirtualList, type VirtualListControl } from "../parts/VirtualList";
import { withCopy, withKey, withoutStep, withStep, isGraph, type StepDraft } from "./draft";
import { focusPlace } from "./form/focus";
import { segments } from "./form/pointer";
import { MANY_STEPS } from "./many";
import { moved, type RowPlace } from "./reorder";
import { StepRow } from "./StepRow";
import { useReorder } from "./useReorder";
import type { Editor } from "./useEditor";

export interface StepListProps {
  editor: Editor;
  /** Why nothing may be changed now: a run is at work. */
  held: boolean;
  /** Everything about a step, and not its parameters alone. */
  whole: boolean;
  stateOf?: ((key: string) => StepState | null) | undefined;
  /** Run this step alone; `busy` is the one that is being sent. */
  runAlone?: { act: (step: StepDraft) => void; busy: string | null; reason: string | null } | undefined;
}

/** Of a step that is not open. */
const ROW_HEIGHT = 49;

/** The steps in their order: switched on and off, moved, opened and filled in. Of many only those in view are drawn. */
export function StepList({ editor, held, whole, stateOf, runAlone }: StepListProps) {
  const list = useRef<HTMLDivElement>(null);
  const rows = useRef<VirtualListControl | null>(null);
  const [told, setTold] = useState("");
  const { draft, change, wanted } = editor;
  const { steps } = draft;
  const many = steps.length > MANY_STEPS;
  const { dragged, handle } = useReorder(
    steps.map((step) => step.id),
    () => placesIn(list.current),
    (from, to) => change((before) => ({ ...before, steps: moved(before.steps, from, to) })),
    setTold,
    many ? (index) => rows.current?.focus(index) : undefined,
  );
  useLayoutEffect(() => {
    const [kind, id] = wanted === null || !many ? [] : segments(wanted.place);
    const index = kind === "steps" && id !== undefined ? steps.findIndex((step) => step.id === id) : -1;
    if (index < 0) return;
    rows.current?.show(index, "center");
    const frame = requestAnimationFrame(() => focusPlace(document, wanted!.place));
    return () => cancelAnimationFrame(frame);
  }, [wanted]);

  const graph = isGraph(draft);
  const row = (step: StepDraft, index: number) => (
    <StepRow
      key={step.id} as={many ? "div" : "li"} step={step} index={index} editor={editor} held={held} whole={whole} graph={graph} dragged={dragged === step.id} handle={handle(step.id)}
      state={stateOf?.(step.key) ?? null} runAlone={runAlone}
      set={(next) => change((before) => withStep(before, step.id, next))}
      setKey={(key) => change((before) => withKey(before, step.id, key))}
      move={(by) => change((before) => ({ ...before, steps: moved(before.steps, index, index + by) }))}
      copy={() => change((before) => withCopy(before, step.id))}
      remove={() => change((before) => withoutStep(before, step.id))}
      last={index === steps.length - 1}
    />
  );
  return (
    <>
      <div class={held ? "start-steps-held" : undefined} ref={list} data-place="/steps">
        {many
          ? <VirtualList class="start-steps start-steps-many" label="Steps" items={steps} rowHeight={ROW_HEIGHT} measured scroller="outer" control={rows} keyOf={(step) => step.id} row={row} />
          : <ol class="start-steps" aria-label="Steps">{steps.map(row)}</ol>}
      </div>
      <p class="sr-only" aria-live="assertive">{told}</p>
    </>
  );
}

/** Where the rows that are drawn stand in the window. */
function placesIn(list: HTMLElement | null): RowPlace[] {
  return [...(list?.querySelectorAll<HTMLElement>(".start-step") ?? [])].map((row) => {
    const { top, bottom } = row.getBoundingClientRect();
    return { index: Number(row.dataset["index"]), top, bottom };
  });
}
