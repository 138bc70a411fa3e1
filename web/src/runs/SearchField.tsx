import { useEffect, useRef, useState } from "preact/hooks";

const PAUSE_MS = 250;

/** Text to search for. Told a moment after the last key, at once on Enter. `value` is what the address says. */
export function SearchField({ value, onSearch, field }: { value: string; onSearch: (text: string) => void; field: { current: HTMLInputElement | null } }) {
  const [typed, setTyped] = useState(value);
  const timer = useRef(0);
  const said = useRef(value);
  useEffect(() => {
    // The address changed by something else: back, or a link.
    if (value !== said.current) {
      said.current = value;
      clearTimeout(timer.current);
      setTyped(value);
    }
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const say = (text: string) => {
    clearTimeout(timer.current);
    said.current = text;
    onSearch(text);
  };
  return (
    <form role="search" class="run-search" onSubmit={(event) => { event.preventDefault(); say(typed); }}>
      <svg class="run-search-glass" width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" aria-hidden="true">
        <circle cx="7" cy="7" r="4.5" /><path d="M10.5 10.5 14 14" />
      </svg>
      <input
        ref={field} type="search" value={typed} maxLength={200} aria-label="Search by name, id, host or template" placeholder="Search runs" title="Looks for the text in name, id, host and template"
        autocomplete="off" spellcheck={false} enterkeyhint="search"
        onInput={(event) => {
          const text = event.currentTarget.value;
          setTyped(text);
          clearTimeout(timer.current);
          timer.current = window.setTimeout(() => say(text), PAUSE_MS);
        }}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.preventDefault();
          if (typed === "") event.currentTarget.blur();
          else { setTyped(""); say(""); }
        }}
      />
      {typed === "" && <kbd aria-hidden="true">/</kbd>}
    </form>
  );
}
