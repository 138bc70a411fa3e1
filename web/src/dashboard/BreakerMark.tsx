/** The mark of a breaker's state; the word stands beside it. */
export function BreakerMark({ mark }: { mark: "tick" | "cross" | "clock" }) {
  return (
    <svg width="14" height="14" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      {mark === "tick" && <path d="M3 8.5l3.2 3.2L13 4.8" />}
      {mark === "cross" && <path d="M4 4l8 8M12 4l-8 8" />}
      {mark === "clock" && <><circle cx="8" cy="8" r="6" stroke-width="1.5" /><path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" stroke="none" /></>}
    </svg>
  );
}
