// One clock for the page: what counts seconds reads `now`, which ticks once a second while the page is seen. It goes by the
// server's clock, since all that is counted from or to is told in it.
import { effect, signal } from "@preact/signals";

import { clockSkew } from "./api/client";

export const now = signal(Date.now());

let timer = 0;
function tick(): void {
  clearTimeout(timer);
  if (document.hidden) return;
  now.value = Date.now() + clockSkew.peek();
  timer = window.setTimeout(tick, 1000 - (Date.now() % 1000));
}

document.addEventListener("visibilitychange", tick);
effect(() => {
  clockSkew.value;
  tick();
});
