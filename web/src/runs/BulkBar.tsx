import type { RunShown } from "../api/types";
import { counted } from "../format/counts";
import { BULK_WORDS, BULKS, type Bulk, wouldAct } from "./bulk";
import "./bulk.css";

export interface BulkBarProps {
  runs: readonly RunShown[];
  /** Why this person may not, null when they may. */
  whyNot: string | null;
  onBulk: (bulk: Bulk) => void;
  onClear: () => void;
}

/** What can be done with the runs that are selected; it floats above the list, so that nothing moves. */
export function BulkBar({ runs, whyNot, onBulk, onClear }: BulkBarProps) {
  return (
    <div class="bulk-bar" role="group" aria-label="Selected runs">
      <span class="bulk-bar-count" role="status">{counted(runs.length, "selected", "selected")}</span>
      {BULKS.map((bulk) => {
        const meant = runs.filter((run) => wouldAct(bulk, run)).length;
        const reason = whyNot ?? (meant === 0 ? NONE[bulk] : null);
        return (
          <button
            key={bulk} type="button" class={`button${bulk === "stop" ? " danger" : ""}`} disabled={reason !== null}
            title={reason ?? undefined} onClick={() => onBulk(bulk)}
          >
            {BULK_WORDS[bulk].label}
            {reason === null && meant < runs.length && <span class="bulk-bar-part">{meant}</span>}
          </button>
        );
      })}
      <button type="button" class="button plain" onClick={onClear}>Clear<kbd>Esc</kbd></button>
    </div>
  );
}

const NONE: Record<Bulk, string> = {
  stop: "None of them goes on.",
  pause: "None of them goes on.",
  resume: "None of them is paused.",
  retry: "None of them failed or was stopped.",
};
