import { Problem } from "../api/client";
import { clockTime } from "../format/times";
import { messageOf } from "../parts/Failed";
import { paths } from "../router";

/** Nothing to show: nothing was ever started, or nothing fits. */
export function NoRuns({ filtered, clear }: { filtered: boolean; clear: () => void }) {
  return (
    <div class="runs-none">
      {filtered ? (
        <>
          <p>No run fits these filters.</p>
          <button type="button" class="button" onClick={clear}>Clear the filters</button>
        </>
      ) : (
        <>
          <p>Nothing has run here yet. A run goes on when you close the page, and is listed here from its first moment.</p>
          <a class="button primary" href={paths.start()}>Start a run</a>
        </>
      )}
    </div>
  );
}

const ROWS = Array.from({ length: 12 }, (_, at) => at);

/** Rows before anything is known; only on the first load. */
export function RowsSkeleton() {
  return (
    <div class="runs-skeleton" role="status" aria-label="Loading runs">
      {ROWS.map((at) => (
        <div key={at} class="runs-skeleton-row" aria-hidden="true">
          <span class="skeleton runs-skeleton-mark" />
          <span class="skeleton" style={{ width: `${46 + ((at * 37) % 41)}%` }} />
          <span class="skeleton" style={{ width: `${30 + ((at * 53) % 47)}%` }} />
          <span class="skeleton" />
        </div>
      ))}
    </div>
  );
}

/** The list is as it was: since when, and why. */
export function StaleLine({ asOf, error }: { asOf: number | null; error: unknown }) {
  return (
    <p class="runs-stale" role="status">
      {asOf === null ? "Shown as it was last known." : `As of ${clockTime(asOf)}.`} {messageOf(error)}
      {error instanceof Problem && error.status === 401 ? "" : " Trying again."}
    </p>
  );
}
