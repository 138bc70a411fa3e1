import { Problem, Unreachable } from "../api/client";

/** What could not be read, why, and the button that tries again. */
export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div class="broken" role="alert">
      <p>{messageOf(error)}</p>
      {error instanceof Problem && error.mend && <p class="muted small">{error.mend}</p>}
      {retry && <button type="button" class="button" onClick={retry}>Try again</button>}
    </div>
  );
}

/** One sentence for people. */
export function messageOf(error: unknown): string {
  if (error instanceof Problem || error instanceof Unreachable) return error.message;
  return "Something went wrong in this page.";
}
