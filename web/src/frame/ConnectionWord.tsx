import { sessionEnded } from "../api/client";
import { connection } from "../live/connection";
import { route } from "../router";
import { SIGNED_OUT, wordOf } from "./connection-word";

const LIVE_PAGES: readonly string[] = ["runs", "run", "chat", "ratings", "workers", "dashboard", "alerts"];

/** One word for how what is shown is kept up to date. Pages that show nothing that moves have it only while the server is away. */
export function ConnectionWord() {
  const shown = connection.value;
  const ended = sessionEnded.value;
  const wanted = ended || LIVE_PAGES.includes(route.value.page) || shown.kind === "offline";
  const { word, meaning, mark, tone } = ended ? SIGNED_OUT : wordOf(shown);
  return (
    <p class={`connection tone-${tone}`} role="status" title={wanted ? meaning : undefined}>
      {wanted && (
        <>
          <svg class={`connection-mark connection-mark-${mark}`} width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">
            <circle cx="5" cy="5" r="3.75" fill="none" stroke="currentColor" stroke-width="1.5" />
            {mark === "full" && <circle cx="5" cy="5" r="4.5" fill="currentColor" />}
            {mark === "half" && <path d="M5 1.25a3.75 3.75 0 0 1 0 7.5z" fill="currentColor" />}
          </svg>
          <span class="connection-word">{word}</span>
        </>
      )}
    </p>
  );
}
