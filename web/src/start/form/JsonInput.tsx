import { useRef, useState } from "preact/hooks";

import type { InputProps } from "./context";
import { same } from "./schema";
import { jsonText, parsedJson } from "./unparsed";

/** Any JSON, as text. What is no JSON yet stays as it was typed, and is a fault. */
export function JsonInput({ id, value, onChange, disabled, invalid, describedBy }: InputProps) {
  const [text, setText] = useState(() => jsonText(value));
  const said = useRef(value);
  if (!same(said.current, value)) {
    said.current = value;
    if (!same(parsedJson(text), value)) setText(jsonText(value));
  }
  return (
    <textarea
      id={id} class="form-long form-json mono" rows={Math.min(16, Math.max(1, text.split("\n").length))} value={text} disabled={disabled} spellcheck={false} autocomplete="off"
      aria-invalid={invalid || undefined} aria-describedby={describedBy}
      onInput={(event) => {
        const typed = event.currentTarget.value;
        setText(typed);
        said.current = parsedJson(typed);
        onChange(said.current);
      }}
    />
  );
}
