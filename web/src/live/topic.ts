// What the relay tells besides runs, followed from page to page and through lost connections.
import { signal, type ReadonlySignal } from "@preact/signals";

import { enter, leave, listenFor, type Answer, type Topic, type TopicEvent } from "./link";
import { onWake, seen } from "./waking";

/** A relay that refused, or did not answer, is asked again after so long. */
const AGAIN_MS = 15_000;

export interface Followed {
  /** Whether one is told of what happens just now. */
  readonly live: ReadonlySignal<boolean>;
  close(): void;
}

export interface Following {
  /** What is subscribed to, where the topic has a choice. */
  body?: object;
  /** Something was told. Answers whether it is live; unset: as it was. */
  hear(event: TopicEvent, data: unknown): boolean | undefined;
  /** One is subscribed. Answers whether it is live; unset: once something was told. */
  entered?(answer: Answer): boolean;
  /** After so many milliseconds of silence it is not live any more, until something is told. Unset: it may be silent. */
  silentMs?: number;
  /** Go on while nobody sees the page. */
  whileHidden?: boolean;
}

/** Follow a topic until it is closed. Who follows the same later takes it over. */
export function follow(topic: Topic, { body = {}, hear, entered, silentMs, whileHidden = false }: Following): Followed {
  const live = signal(false);
  let up = false;
  let closed = false;
  /** Whether one is subscribed, or about to be. */
  let inside = false;
  let turn = 0;
  let again: ReturnType<typeof setTimeout> | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;

  const setLive = (is: boolean) => {
    clearTimeout(silence);
    live.value = is;
    if (is && silentMs !== undefined) silence = setTimeout(() => (live.value = false), silentMs);
  };
  const goIn = async () => {
    clearTimeout(again);
    if (closed || !up || inside || !(whileHidden || seen())) return;
    inside = true;
    const mine = ++turn;
    const answer = await enter(topic, body);
    if (mine !== turn) return;
    if (answer?.success === true) {
      if (entered !== undefined) setLive(entered(answer));
    } else {
      inside = false;
      again = setTimeout(() => void goIn(), AGAIN_MS);
    }
  };
  const goOut = () => {
    clearTimeout(again);
    turn += 1;
    inside = false;
    setLive(false);
  };
  const hide = () => {
    if (seen() || whileHidden || !inside) return;
    goOut();
    leave(topic);
  };
  document.addEventListener("visibilitychange", hide);
  const stopWaking = onWake(() => void goIn());
  const stopListening = listenFor(topic, {
    up() {
      up = true;
      inside = false;
      void goIn();
    },
    down() {
      up = false;
      goOut();
    },
    hear(event, data) {
      if (!inside) return;
      const is = hear(event, data);
      if (is !== undefined) setLive(is);
    },
  });

  return {
    live,
    close() {
      if (closed) return;
      closed = true;
      document.removeEventListener("visibilitychange", hide);
      stopWaking();
      stopListening();
      goOut();
    },
  };
}
