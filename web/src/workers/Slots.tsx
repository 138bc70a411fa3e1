const MOST_DRAWN = 32;

/** How many of a worker's slots are in use: a small bar of them, and the number. */
export function Slots({ used, slots, off = false }: { used: number; slots: number | null; off?: boolean }) {
  if (slots === null) return <div class="slots"><span class="slots-said">{used} in hand</span></div>;
  const drawn = Math.min(MOST_DRAWN, Math.max(slots, 1));
  // More slots than can be told apart are drawn in proportion; what is in use is seen at least.
  const filled = used === 0 ? 0 : Math.max(1, Math.round((Math.min(used, slots) / Math.max(slots, 1)) * drawn));
  return (
    <div class="slots">
      <span class="slots-bar" aria-hidden="true">
        {Array.from({ length: drawn }, (_, at) => <span key={at} class={`slot${at < filled ? (off ? " slot-off" : " slot-used") : ""}`} />)}
      </span>
      <span class="slots-said"><strong>{used}</strong> of {slots}<span class="sr-only"> slots in use</span></span>
    </div>
  );
}
