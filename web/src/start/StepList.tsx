import { useRef, useState } from "preact/hooks";

import type { StepState } from "../api/types";
import { withCopy, withKey, withoutStep, withStep, isGraph, type StepDraft } from "./draft";
import { moved } from "./reorder";
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

/** The steps in their order: switched on and off, moved, opened and filled in. */
export function StepList({ editor, held, whole, stateOf, runAlone }: StepListProps) {
  const list = useRef<HTMLOListElement>(null);
  const [told, setTold] = useState("");
  const { draft, change } = editor;
  const { dragged, handle } = useReorder(
    draft.steps.map((step) => step.id),
    () => [...(list.current?.children ?? [])],
    (from, to) => change((before) => ({ ...before, steps: moved(before.steps, from, to) })),
    setTold,
  );
  const graph = isGraph(draft);
  return (
    <>
      <ol class={`start-steps${held ? " start-steps-held" : ""}`} ref={list} data-place="/steps" aria-label="Steps">
        {draft.steps.map((step, index) => (
          <StepRow
            key={step.id} step={step} index={index} editor={editor} held={held} whole={whole} graph={graph} dragged={dragged === step.id} handle={handle(step.id)}
            state={stateOf?.(step.key) ?? null} runAlone={runAlone}
            set={(next) => change((before) => withStep(before, step.id, next))}
            setKey={(key) => change((before) => withKey(before, step.id, key))}
            move={(by) => change((before) => ({ ...before, steps: moved(before.steps, index, index + by) }))}
            copy={() => change((before) => withCopy(before, step.id))}
            remove={() => change((before) => withoutStep(before, step.id))}
            last={index === draft.steps.length - 1}
          />
        ))}
      </ol>
      <p class="sr-only" aria-live="assertive">{told}</p>
    </>
  );
}
