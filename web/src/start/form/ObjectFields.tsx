import type { Json, JsonObject } from "../../api/types";
import { useForm } from "./context";
import { Field } from "./Field";
import { child } from "./pointer";
import type { Schema } from "./schema";

/** The fields of an object, the needed ones first; what has no field of its own is JSON. */
export function ObjectFields({ schema, value, onChange, at }: { schema: Schema; value: JsonObject; onChange: (value: JsonObject) => void; at: string }) {
  const { faults } = useForm();
  const properties = schema.properties ?? {};
  const required = new Set(schema.required ?? []);
  const names = Object.keys(properties).sort((a, b) => Number(required.has(b)) - Number(required.has(a)));
  const others = Object.fromEntries(Object.entries(value).filter(([name]) => !(name in properties)));
  const open = schema.additionalProperties !== undefined && schema.additionalProperties !== false;
  const stray = Object.keys(others).map((name) => faults[child(at, name)]).find((fault) => fault !== undefined);

  const set = (name: string, next: Json | undefined) => {
    const { [name]: _before, ...rest } = value;
    onChange(next === undefined ? rest : { ...rest, [name]: next });
  };
  const setOthers = (next: Json | undefined) => {
    const kept = Object.fromEntries(Object.entries(value).filter(([name]) => name in properties));
    onChange({ ...kept, ...((next ?? {}) as JsonObject) });
  };

  if (names.length === 0 && !open && Object.keys(others).length === 0) return <p class="form-nothing muted small">Nothing to fill in.</p>;
  return (
    <div class="form-fields">
      {names.map((name) => (
        <Field
          key={name} name={name} schema={properties[name]!} required={required.has(name)}
          value={value[name]} onChange={(next) => set(name, next)} at={child(at, name)}
        />
      ))}
      {(open || Object.keys(others).length > 0) && (
        <Field
          key="&others" name="Further parameters" schema={OTHERS} required={false} fault={stray}
          value={Object.keys(others).length === 0 ? undefined : others} onChange={setOthers} at={at}
        />
      )}
    </div>
  );
}

const OTHERS: Schema = { type: "object", description: "as JSON" };
