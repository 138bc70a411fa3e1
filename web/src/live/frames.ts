// Work that comes in pieces is done once a frame.

/** Longest wait where there are no frames: a hidden page draws none. */
const HIDDEN_MS = 250;

/**
 * `ask` has `run` called in the next frame, once however often it is asked, and not again within `spacingMs`: what comes many
 * times a second is drawn a few times a second, and the first after a while at once.
 */
export function perFrame(run: () => void, spacingMs = 0): { ask: () => void; cancel: () => void } {
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ranAt = -Infinity;
  const go = () => {
    cancel();
    ranAt = Date.now();
    run();
  };
  const nextFrame = () => {
    // A page that is hidden before its frame comes gets none.
    timer = setTimeout(go, HIDDEN_MS);
    frame = requestAnimationFrame(go);
  };
  const cancel = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    timer = undefined;
  };
  return {
    ask() {
      if (timer !== undefined) return;
      const waitMs = ranAt + spacingMs - Date.now();
      if (waitMs > 0) timer = setTimeout(nextFrame, waitMs);
      else nextFrame();
    },
    cancel,
  };
}
