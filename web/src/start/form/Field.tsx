import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";

import type { Json } from "../../api/types";
import { useForm, type InputProps } from "./context";
import { JsonInput } from "./JsonInput";
import { ListInput } from "./ListInput";
import { MapInput } from "./MapInput";
import { Marked } from "./Marked";
import { ObjectFields } from "./ObjectFields";
import { isWithin } from "./pointer";
import { hasReference } from "./references";
import { ChoiceInput, NumberInput, SecretInput, SwitchInput, TextInput } from "./scalars";
import { blank, isObject, labelOf, viewOf, type Kind, type Schema, type View } from "./schema";
import { unparsedText } from "./unparsed";
import { optionOf } from "./validate";

export interface FieldProps {
  name: string;
  schema: Schema;
  required: boolean;
  value: Json | undefined;
  onChange: (value: Json | undefined) => void;
  at: string;
  /** In place of the one for its pointer. */
  fault?: string | undefined;
}

const WIDE: readonly Kind[] = ["list", "map", "object", "json", "union"];

/** One value: its label, input, hint, and what is wrong with it. */
export function Field({ name, schema, required, value, onChange, at, fault }: FieldProps) {
  const form = useForm();
  const id = useId();
  const [wasLeft, setLeft] = useState(false);
  const [chosen, setChosen] = useState<number | null>(null);
  const view = viewOf(schema, form.root);
  const referring = view.kind !== "text" && typeof value === "string" && hasReference(value);
  const option = view.kind === "union" && !referring ? (value === undefined ? (chosen ?? 0) : optionOf(view, value, form.root)) : null;
  const shownView = option === null ? view : viewOf(view.options[option] ?? {}, form.root);
  const inner: View = option === null ? view : { ...shownView, schema: { ...shownView.schema, ...plainOf(view.schema) } };
  // A fault of a part that has no field of its own shows here.
  const own = fault ?? form.faults[at] ?? (isLeaf(inner, value) ? below(form.faults, at) : undefined);
  const shown = own !== undefined && (wasLeft || form.showAll) ? own : null;
  const { text, unit } = labelOf(name, view.schema);
  const hint = hintOf(inner, unit);
  const group = inner.kind === "object" || inner.kind === "list" || inner.kind === "map";
  const described = [shown && `${id}-fault`, hint && `${id}-hint`].filter(Boolean).join(" ") || undefined;
  const props: InputProps = { id, schema: inner.schema, value, onChange, at, disabled: form.disabled, invalid: shown !== null, describedBy: described };

  const label = (
    <>
      {text}
      {required && <span class="form-required" title="Required" aria-hidden="true"> *</span>}
      {required && <span class="sr-only"> (required)</span>}
    </>
  );
  return (
    <div
      class={`field form-field${WIDE.includes(inner.kind) || isLong(inner) ? " form-wide" : ""}`} data-place={form.place + at} role={group ? "group" : undefined}
      aria-labelledby={group ? `${id}-label` : undefined}
      onFocusOut={(event) => { if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setLeft(true); }}
    >
      <div class="form-head">
        {group && !referring ? <span class="label" id={`${id}-label`} title={name}>{label}</span> : <label class="label" for={id} title={name}>{label}</label>}
        {option !== null && (
          <select
            class="form-option" aria-label={`Kind of ${text}`} disabled={form.disabled} value={String(option)}
            onChange={(event) => {
              const next = Number(event.currentTarget.value);
              setChosen(next);
              const first = blank(view.options[next] ?? {}, form.root);
              onChange(first === "" ? undefined : first);
            }}
          >
            {view.options.map((one, index) => <option key={index} value={String(index)}>{optionName(one, form.root)}</option>)}
          </select>
        )}
        {form.references && canRefer(inner.kind) && (
          <button
            type="button" class="form-refer" disabled={form.disabled} aria-pressed={referring}
            title={referring ? "Give a value in place of the reference" : "Use a reference to a parameter of the run or the result of a step"}
            aria-label={`Reference for ${text}`}
            onClick={() => onChange(referring ? undefined : "{{ params. }}")}
          >
            {"{{ }}"}
          </button>
        )}
      </div>
      {referring ? <TextInput {...props} value={value as string} schema={{}} /> : inputOf(inner, props)}
      {shown !== null && <p class="fault" id={`${id}-fault`} role="alert">{shown}</p>}
      {hint !== null && <p class="hint" id={`${id}-hint`}><Marked text={hint} /></p>}
    </div>
  );
}

function inputOf(view: View, props: InputProps): ComponentChildren {
  const { value, onChange, at } = props;
  if (unparsedText(value) !== null) return <JsonInput {...props} />;
  switch (view.kind) {
    case "text": return <TextInput {...props} value={typeof value === "string" ? value : value === undefined || value === null ? undefined : JSON.stringify(value)} />;
    case "number": case "integer": return <NumberInput {...props} />;
    case "boolean": return <SwitchInput {...props} />;
    case "choice": return <ChoiceInput {...props} values={view.values} />;
    case "secret": return <SecretInput {...props} />;
    case "list": return value === undefined || Array.isArray(value) ? <ListInput {...props} value={value} /> : <JsonInput {...props} />;
    case "map": return value === undefined || isObject(value) ? <MapInput {...props} value={value} /> : <JsonInput {...props} />;
    case "object":
      if (value !== undefined && !isObject(value)) return <JsonInput {...props} />;
      return (
        <div class="form-nested">
          <ObjectFields schema={view.schema} value={value ?? {}} onChange={(next) => onChange(Object.keys(next).length === 0 ? undefined : next)} at={at} />
        </div>
      );
    default: return <JsonInput {...props} />;
  }
}

/** Text may always hold references; in free JSON they are typed where they belong. */
const canRefer = (kind: Kind): boolean => !["text", "number", "integer", "json", "secret", "union"].includes(kind);

const isLeaf = (view: View, value: Json | undefined): boolean =>
  ["text", "number", "integer", "boolean", "choice", "secret", "json", "union"].includes(view.kind) || (typeof value === "string" && hasReference(value)) || unparsedText(value) !== null;

const below = (faults: Readonly<Record<string, string>>, at: string): string | undefined =>
  Object.entries(faults).find(([pointer]) => isWithin(pointer, at))?.[1];

/** Whether a text may have several lines. */
export const isLong = (view: View): boolean => view.kind === "text" && (view.schema.maxLength ?? Infinity) > 4096 && view.schema.pattern === undefined;

/** What stands beside the alternatives holds for all of them. */
function plainOf(schema: Schema): Schema {
  const { title: _title, ...rest } = schema;
  return rest;
}

function optionName(given: Schema, root: Schema): string {
  const view = viewOf(given, root);
  const names: Record<Kind, string> = {
    text: "Text", number: "Number", integer: "Number", boolean: "Yes or no", choice: "Choice", list: "List", object: view.schema.title ?? "Object",
    map: "Names and values", secret: "Secret", union: "Other", json: "JSON",
  };
  return names[view.kind];
}

function hintOf(view: View, unit: string | null): string | null {
  const { schema } = view;
  const parts = [
    schema.description ?? (view.kind === "secret" ? "the name of a secret that the server keeps" : null),
    unit,
    rangeOf(schema),
  ].filter((part): part is string => part !== null && part !== undefined && part !== "");
  // A description that names the unit says it once.
  const said = parts.filter((part, index) => part !== unit || !parts.slice(0, index).some((one) => one.includes(part)));
  return said.length === 0 ? null : said.join(" · ");
}

function rangeOf({ minimum, maximum, exclusiveMinimum }: Schema): string | null {
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  if (maximum !== undefined) return exclusiveMinimum === undefined ? `at most ${maximum}` : `more than ${exclusiveMinimum}, at most ${maximum}`;
  return minimum === undefined ? null : `at least ${minimum}`;
}
