import type { State, StepState } from "../../api/types";
import { Menu, type MenuItem } from "../../parts/Menu";
import { whyNotOperator } from "../../session";
import { stepReason, type StepControl } from "./possible";
import { KEYS, LABELS } from "./words";

const ALL: readonly StepControl[] = ["retry_from", "skip", "fork", "alone"];

/** What can be done with the opened step. */
export function StepControls({ step, state, ask }: { step: StepState; state: State; ask: (control: StepControl) => void }) {
  const why = whyNotOperator.value;
  const items: MenuItem[] = ALL.map((control) => ({
    label: LABELS[control], act: () => ask(control), reason: stepReason(control, step, state, why), ...(KEYS[control] ? { keys: KEYS[control] } : {}),
  }));
  return (
    <div class="step-controls">
      {step.waiting_for === "signal" && (
        <button type="button" class="button primary" disabled={why !== null} title={why ?? undefined} onClick={() => ask("answer")}>Answer</button>
      )}
      <Menu label="This step" items={items} />
    </div>
  );
}
