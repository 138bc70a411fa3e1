import { useRef, useState } from "preact/hooks";

import type { Json, JsonObject } from "../../api/types";
import { useForm, type InputProps } from "./context";
import { Field } from "./Field";
import { child } from "./pointer";
import { blank, same, valuesOf } from "./schema";

interface Row {
  id: number;
  name: string;
  value: Json;
}

/** Names and values of the user's choice. A row without a name is not sent. */
export function MapInput({ id, schema, value, onChange, at, disabled }: InputProps & { value: JsonObject | undefined }) {
  const { root, faults, showAll } = useForm();
  const last = useRef(0);
  const list = useRef<HTMLDivElement>(null);
  const rowsOf = (given: JsonObject): Row[] => Object.entries(given).map(([name, one]) => ({ id: (last.current += 1), name, value: one }));
  const [rows, setRows] = useState(() => rowsOf(value ?? {}));
  const said = useRef<Json | undefined>(value);
  const values = valuesOf(schema) ?? {};
  let shown = rows;
  if (!same(said.current, value)) {
    // Changed from outside.
    said.current = value;
    if (!same(objectOf(rows), value ?? {})) setRows((shown = rowsOf(value ?? {})));
  }
  const set = (next: Row[]) => {
    setRows(next);
    const object = objectOf(next);
    said.current = Object.keys(object).length === 0 ? undefined : object;
    onChange(said.current);
  };
  const add = () => {
    set([...shown, { id: (last.current += 1), name: "", value: blank(values, root) }]);
    requestAnimationFrame(() => [...(list.current?.querySelectorAll<HTMLElement>(":scope > .form-pair") ?? [])].at(-1)?.querySelector("input")?.focus());
  };
  return (
    <div class="form-list" ref={list}>
      {shown.map((row, index) => {
        const twice = row.name !== "" && shown.findIndex((one) => one.name === row.name) !== index;
        return (
          <div key={row.id} class="form-pair">
            <input
              type="text" class="mono" value={row.name} placeholder="name" aria-label={`Name ${index + 1}`} disabled={disabled} spellcheck={false} autocomplete="off" autocapitalize="off"
              aria-invalid={twice || (showAll && row.name === "" && row.value !== "") || undefined}
              onInput={(event) => set(shown.with(index, { ...row, name: event.currentTarget.value }))}
            />
            <Field
              name="value" schema={values} required={false} value={row.value} at={child(at, row.name)} fault={twice ? `${row.name} stands here twice; the first counts.` : faults[child(at, row.name)]}
              onChange={(next) => set(shown.with(index, { ...row, value: next ?? "" }))}
            />
            <button type="button" class="button plain icon" disabled={disabled} aria-label={`Remove ${row.name || `pair ${index + 1}`}`} onClick={() => set(shown.toSpliced(index, 1))}>×</button>
          </div>
        );
      })}
      <div class="form-list-foot">
        <button type="button" class="button" id={id} disabled={disabled || shown.length >= (schema.maxProperties ?? Infinity)} onClick={add}>Add</button>
      </div>
    </div>
  );
}

function objectOf(rows: readonly Row[]): JsonObject {
  const found: JsonObject = {};
  for (const row of rows) if (row.name !== "" && !(row.name in found)) found[row.name] = row.value;
  return found;
}
