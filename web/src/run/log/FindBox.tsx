import type { RefObject } from "preact";

export interface FindBoxProps {
  input: RefObject<HTMLInputElement | null>;
  needle: string;
  onNeedle: (needle: string) => void;
  /** Of how many the one that is shown is which, from 0; -1: none. */
  current: number;
  count: number;
  /** More were found than are counted. */
  full: boolean;
  /** Still looking. */
  busy: boolean;
  step: (by: 1 | -1) => void;
}

/** Finds text in the log: Enter goes to the next, with Shift to the one before; Escape clears. */
export function FindBox({ input, needle, onNeedle, current, count, full, busy, step }: FindBoxProps) {
  const words = needle === "" ? "" : count === 0 ? (busy ? "…" : "none") : `${current + 1} of ${count.toLocaleString()}${full || busy ? "+" : ""}`;
  return (
    <div class="log-find" role="search">
      <input
        ref={input} type="search" value={needle} placeholder="Find in log" aria-label="Find in log" spellcheck={false} autocomplete="off"
        onInput={(event) => onNeedle(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") {
            event.preventDefault();
            step(event.shiftKey ? -1 : 1);
          } else if (event.key === "Escape") {
            event.preventDefault();
            event.stopPropagation();
            if (needle === "") event.currentTarget.blur();
            else onNeedle("");
          }
        }}
      />
      <span class="log-found" role="status">{words}</span>
      <button type="button" class="button plain icon" aria-label="Match before" title="Match before (Shift Enter)" disabled={count === 0} onClick={() => step(-1)}>↑</button>
      <button type="button" class="button plain icon" aria-label="Next match" title="Next match (Enter)" disabled={count === 0} onClick={() => step(1)}>↓</button>
    </div>
  );
}
