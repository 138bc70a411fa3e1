import { useRef, useState } from "preact/hooks";

import type { Json } from "../../api/types";
import type { InputProps } from "./context";
import { hasReference } from "./references";
import { isObject, same, viewOf } from "./schema";

const shownDefault = (value: Json | undefined): string | undefined =>
  value === undefined || value === null || value === "" ? undefined : typeof value === "string" ? value : JSON.stringify(value);

/** A text; empty means that none is given. */
export function TextInput({ id, schema, value, onChange, disabled, invalid, describedBy }: InputProps<string>) {
  const long = (schema.maxLength ?? Infinity) > 4096 && schema.pattern === undefined;
  const props = {
    id, disabled, value: value ?? "", placeholder: shownDefault(schema.default), "aria-invalid": invalid || undefined, "aria-describedby": describedBy,
    spellcheck: false, autocomplete: "off" as const, autocapitalize: "off" as const,
    onInput: (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value === "" ? undefined : event.currentTarget.value),
  };
  return long ? <textarea {...props} class="form-long mono" rows={1} /> : <input {...props} type="text" class={hasReference(value ?? "") ? "mono" : undefined} />;
}

/** A number. What is none stays as it was typed, and is a fault; a reference may stand for it. */
export function NumberInput({ id, schema, value, onChange, disabled, invalid, describedBy }: InputProps) {
  const [text, setText] = useState(() => numberText(value));
  const said = useRef(value);
  // Changed from outside: by another field, or brought back.
  if (!same(said.current, value)) {
    said.current = value;
    if (!same(numberOf(text), value)) setText(numberText(value));
  }
  return (
    <input
      id={id} type="text" inputMode="decimal" value={text} disabled={disabled} placeholder={shownDefault(schema.default)} autocomplete="off"
      aria-invalid={invalid || undefined} aria-describedby={describedBy}
      onInput={(event) => {
        const typed = event.currentTarget.value;
        setText(typed);
        said.current = numberOf(typed);
        onChange(said.current);
      }}
    />
  );
}

function numberOf(text: string): Json | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) && Number.isFinite(Number(trimmed)) ? Number(trimmed) : text;
}

const numberText = (value: Json | undefined): string =>
  value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);

/** Yes or no. What equals the default is left to it. */
export function SwitchInput({ id, schema, value, onChange, disabled, invalid, describedBy }: InputProps) {
  const shown = value === undefined ? schema.default === true : value === true || value === "true";
  return (
    <label class="form-check">
      <input
        id={id} type="checkbox" checked={shown} disabled={disabled} aria-invalid={invalid || undefined} aria-describedby={describedBy}
        onChange={(event) => {
          const next = event.currentTarget.checked;
          onChange(schema.default === next ? undefined : next);
        }}
      />
      <span class="muted small" aria-hidden="true">{shown ? "Yes" : "No"}</span>
    </label>
  );
}

/** One of a few values. */
export function ChoiceInput({ id, schema, value, onChange, disabled, invalid, describedBy, values }: InputProps & { values: Json[] }) {
  const fallback = schema.default ?? undefined;
  const known = value === undefined ? fallback : value;
  const at = values.findIndex((one) => same(one, known));
  const stray = known !== undefined && at < 0;
  return (
    <select
      id={id} disabled={disabled} aria-invalid={invalid || undefined} aria-describedby={describedBy} value={stray ? "stray" : String(at)}
      onChange={(event) => {
        const chosen = values[Number(event.currentTarget.value)];
        onChange(chosen === undefined || same(chosen, fallback) ? undefined : chosen);
      }}
    >
      {fallback === undefined && <option value="-1">—</option>}
      {stray && <option value="stray">{JSON.stringify(known)}</option>}
      {values.map((one, index) => <option key={index} value={String(index)}>{typeof one === "string" ? one : JSON.stringify(one)}</option>)}
    </select>
  );
}

/** The name of a secret; never the secret. */
export function SecretInput({ id, schema, value, onChange, disabled, invalid, describedBy }: InputProps) {
  const given = isObject(value) ? value : {};
  const prefixed = viewOf(schema, schema).schema.properties?.prefix !== undefined;
  const set = (name: "secret" | "prefix", text: string) => {
    const next = { ...given, [name]: text };
    if (name === "prefix" && text === "") delete (next as { prefix?: Json }).prefix;
    onChange(next.secret === undefined || (next.secret === "" && !prefixed) ? undefined : next);
  };
  return (
    <span class="form-secret">
      {prefixed && (
        <input
          type="text" class="form-prefix" value={String(given.prefix ?? "")} disabled={disabled} placeholder="Bearer " aria-label="Text before the secret"
          onInput={(event) => set("prefix", event.currentTarget.value)}
        />
      )}
      <span class="form-secret-name">
        <svg width="14" height="14" viewBox="0 0 16 16" aria-hidden="true"><path d="M5 7V5a3 3 0 0 1 6 0v2M4 7h8v6H4z" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round" /></svg>
        <input
          id={id} type="text" value={String(given.secret ?? "")} disabled={disabled} placeholder="name of a secret" spellcheck={false} autocomplete="off" autocapitalize="off"
          aria-invalid={invalid || undefined} aria-describedby={describedBy} onInput={(event) => set("secret", event.currentTarget.value)}
        />
      </span>
    </span>
  );
}
