/** What waits until the reader is ready for it: rows do not move under the pointer, nor while one reads further down. */
export function NewRuns({ waiting, gone, more, onShow }: { waiting: number; gone: number; more: boolean; onShow: () => void }) {
  if (waiting === 0 && gone === 0) return null;
  const words = waiting > 0 ? `${waiting}${more ? " or more" : ""} new ${waiting === 1 ? "run" : "runs"}` : `${gone} ${gone === 1 ? "run" : "runs"} to leave out`;
  return (
    <div role="status">
      <button type="button" class="new-runs" onClick={onShow}>
        {waiting > 0 && <svg width="12" height="12" viewBox="0 0 12 12" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" aria-hidden="true"><path d="M6 10V2M2.5 5.5 6 2l3.5 3.5" /></svg>}
        {words}
      </button>
    </div>
  );
}
