// One clock for the page: what counts seconds reads `now`, which ticks once a second while the page is seen.
import { signal } from "@preact/signals";

export const now = signal(Date.now());

let timer = 0;
function tick(): void {
  clearTimeout(timer);
  if (document.hidden) return;
  now.value = Date.now();
  timer = window.setTimeout(tick, 1000 - (Date.now() % 1000));
}

document.addEventListener("visibilitychange", tick);
tick();
