// When it is worth asking again at once: the page is seen again, the device is online again, somebody has signed in again.
import { effect } from "@preact/signals";

import { sessionEnded } from "../api/client";

const listeners = new Set<() => void>();
let listening = false;

/** Called when waiting any longer makes no sense, until the function that is returned is called. */
export function onWake(listen: () => void): () => void {
  if (!listening) {
    listening = true;
    addEventListener("online", wake);
    addEventListener("focus", wake);
    // Coming back by the back button, from the cache of pages, is no load.
    addEventListener("pageshow", wake);
    document.addEventListener("visibilitychange", wake);
    let ended = sessionEnded.peek();
    effect(() => {
      const was = ended;
      ended = sessionEnded.value;
      if (was && !ended) wake();
    });
  }
  listeners.add(listen);
  return () => listeners.delete(listen);
}

/** Nobody looks at a hidden page: it does not poll. */
export const seen = (): boolean => !document.hidden;

function wake(): void {
  if (!seen()) return;
  for (const listen of [...listeners]) listen();
}
