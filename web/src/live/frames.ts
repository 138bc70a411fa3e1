// Work that comes in pieces is done once a frame.

/** Longest wait where there are no frames: a hidden page draws none. */
const HIDDEN_MS = 250;

/** A function that has `run` called in the next frame, once however often it is called before. */
export function perFrame(run: () => void): { ask: () => void; cancel: () => void } {
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const go = () => {
    cancel();
    run();
  };
  const cancel = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    timer = undefined;
  };
  return {
    ask() {
      if (timer !== undefined) return;
      // A page that is hidden before its frame comes gets none.
      timer = setTimeout(go, HIDDEN_MS);
      frame = requestAnimationFrame(go);
    },
    cancel,
  };
}
