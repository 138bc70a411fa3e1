import { counted } from "../format/counts";
import { draftNamed, forgetReplaced, replacedOf, undoReplace } from "./drafts";

/** Says that another draft took the place of the one before, and brings it back; nothing when there is none. */
export function Replaced({ name, undone }: { name: string; undone: () => void }) {
  const before = draftNamed(replacedOf(name)).value;
  if (before === null) return null;
  const steps = before.steps.length;
  return (
    <p class="start-from small" role="status">
      What was here before is kept{steps > 0 && ` (${counted(steps, "step")})`}.{" "}
      <button type="button" class="start-link" onClick={() => { undoReplace(name); undone(); }}>Undo</button>{" "}
      <button type="button" class="start-link" onClick={() => forgetReplaced(name)}>Dismiss</button>
    </p>
  );
}
