// That alerts changed, as the relay tells it: a hint to read them.
import { signal, type ReadonlySignal } from "@preact/signals";

import { paced } from "../live/pace";
import { follow } from "../live/topic";
import { whileUsed } from "../live/used";

/** Many that change at once are read once, and not by all pages in the same moment. */
const SPACING_MS = 1000;
const SPREAD_MS = 200;

const told = signal(false);
const listeners = new Set<() => void>();

/** Whether changes of alerts are told just now. */
export const alertsLive: ReadonlySignal<boolean> = told;

const begin = whileUsed(() => {
  const news = paced(() => { for (const listen of [...listeners]) listen(); }, SPACING_MS);
  let spread: ReturnType<typeof setTimeout> | undefined;
  const followed = follow("alerts", {
    whileHidden: true,
    entered(answer) {
      // What changed since they were last read was told to others.
      news.ask();
      return answer.live === true;
    },
    hear(event, data) {
      spread ??= setTimeout(() => {
        spread = undefined;
        news.ask();
      }, Math.random() * SPREAD_MS);
      return event === "alerts_live" ? (data as { live: boolean }).live : undefined;
    },
  });
  const stop = followed.live.subscribe((live) => (told.value = live));
  return () => {
    stop();
    followed.close();
    clearTimeout(spread);
    news.cancel();
    told.value = false;
  };
});

/** Be told that alerts may have changed, until the function that is returned is called. */
export function onAlertNews(listen: () => void): () => void {
  listeners.add(listen);
  const end = begin();
  return () => {
    listeners.delete(listen);
    end();
  };
}
