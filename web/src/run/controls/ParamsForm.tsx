import { useMemo } from "preact/hooks";

import type { JsonObject } from "../../api/types";
import { faultsWithin, type Faults } from "../../start/form/pointer";
import type { Schema } from "../../start/form/schema";
import { SchemaForm } from "../../start/form/SchemaForm";
import { validate } from "../../start/form/validate";

interface Props {
  /** Null: nothing is known of the parameters, so any JSON object will do. */
  schema: Schema | null;
  value: JsonObject;
  onChange: (value: JsonObject) => void;
  /** Where the server found a fault, a JSON pointer within the value, and what it is. */
  refused?: { where: string; message: string } | null;
  references: boolean;
}

/** Any object, as one field of JSON: what a step takes whose schema is not known. */
const ANYTHING: Schema = { type: "object", properties: { value: { type: "object", title: "JSON" } } };

/** The form of parameters; what is wrong stands at its field. */
export function ParamsForm({ schema, value, onChange, refused = null, references }: Props) {
  const known = fits(schema);
  const faults = useMemo(() => faultsOf(schema, value, references), [schema, value, references]);
  const all: Faults = refused ? { [refused.where]: refused.message, ...faults } : faults;
  if (known) return <SchemaForm schema={known} value={value} onChange={onChange} faults={all} references={references} showAll={refused !== null} />;
  return (
    <SchemaForm
      schema={ANYTHING} value={{ value }} onChange={(next) => onChange((next["value"] ?? {}) as JsonObject)}
      faults={Object.fromEntries(Object.entries(all).map(([place, fault]) => [`/value${place}`, fault]))} references={references} showAll
    />
  );
}

/** What is wrong with a value, by place; as `ParamsForm` shows it. */
export function faultsOf(schema: Schema | null, value: JsonObject, references: boolean): Faults {
  const known = fits(schema);
  return known ? validate(known, value, { references }) : faultsWithin(validate(ANYTHING, { value }, { references }), "/value");
}

const fits = (schema: Schema | null): Schema | null => (schema && Object.keys(schema.properties ?? {}).length > 0 ? schema : null);
