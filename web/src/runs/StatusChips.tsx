import { STATUSES } from "../theme/statuses";
import { StatusMark } from "../parts/StatusMark";
import { STATUS_ORDER, type ListStatus } from "./filters";
import { spanWords } from "./words";

export interface Counted {
  counts: Record<ListStatus, number>;
  /** Of those that have ended only the ones that did within this time are counted. */
  ended_within_s: number;
  at_most: number;
}

/** How many runs there are by status; each a filter. Counts are of all runs, whatever else is filtered. */
export function StatusChips({ counted, chosen, onToggle, onAll }: { counted: Counted | null; chosen: readonly ListStatus[]; onToggle: (status: ListStatus) => void; onAll: () => void }) {
  return (
    <div class="status-chips" role="group" aria-label="Filter by status">
      <button type="button" class="status-chip" aria-pressed={chosen.length === 0} onClick={onAll}>All</button>
      {STATUS_ORDER.map((status) => {
        const { word, tone } = STATUSES[status];
        const count = counted?.counts[status] ?? null;
        const shown = count === null || counted === null ? "" : count >= counted.at_most ? `${counted.at_most.toLocaleString("en")}+` : count.toLocaleString("en");
        const ended = status === "completed" || status === "failed" || status === "cancelled";
        const within = counted !== null && ended ? `, ended in the last ${spanWords(counted.ended_within_s)}` : "";
        return (
          <button
            key={status} type="button" class={`status-chip${count === 0 ? " status-chip-none" : ""}`} aria-pressed={chosen.includes(status)}
            title={shown === "" ? undefined : `${shown} ${word}${within}`} onClick={() => onToggle(status)}
          >
            <span class={`status-chip-mark tone-${tone}`} aria-hidden="true"><StatusMark status={status} size={14} percent={status === "running" ? 30 : null} /></span>
            {capital(word)}
            <span class="status-chip-count">{shown}</span>
          </button>
        );
      })}
    </div>
  );
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
