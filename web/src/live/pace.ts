// Work that comes in pieces is done a few times a second.

/**
 * `ask` has `run` called soon, once however often it is asked, and not again within `spacingMs`: what comes many times a second
 * is drawn a few times a second, and the first after a while at once. It is a task of its own: within a frame it would be one
 * long task with all that the browser does to show that frame.
 */
export function paced(run: () => void, spacingMs = 0): { ask: () => void; cancel: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ranAt = -Infinity;
  const go = () => {
    timer = undefined;
    ranAt = Date.now();
    run();
  };
  return {
    ask() {
      // A clock that was set back is no reason to wait longer.
      timer ??= setTimeout(go, Math.max(0, Math.min(spacingMs, ranAt + spacingMs - Date.now())));
    },
    cancel() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
