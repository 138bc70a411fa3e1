import type { JsonObject } from "../../api/types";
import { Form } from "./context";
import { ObjectFields } from "./ObjectFields";
import type { Faults } from "./pointer";
import { viewOf, type Schema } from "./schema";
import "./form.css";

export interface SchemaFormProps {
  /** A JSON schema of an object, as pydantic writes it. */
  schema: Schema;
  /** Only what was given: what is left out has its default. */
  value: JsonObject;
  onChange: (value: JsonObject) => void;
  /** What is wrong, by JSON pointer within the value; see `validate`. */
  faults?: Faults;
  disabled?: boolean;
  /** Whether `{{ ... }}` may stand for a value; so it is in parameters of steps, not in signals. */
  references?: boolean;
  /** False: faults show at a field once it was left, so that nobody is interrupted while typing. */
  showAll?: boolean;
  /** Where the form stands among others; `focusPlace` finds its fields by this and their pointers. */
  place?: string;
}

const NONE: Faults = {};

/** A form for an object, made from its schema. */
export function SchemaForm({ schema, value, onChange, faults = NONE, disabled = false, references = true, showAll = true, place = "" }: SchemaFormProps) {
  return (
    <Form.Provider value={{ root: schema, faults, disabled, references, showAll, place }}>
      <ObjectFields schema={viewOf(schema, schema).schema} value={value} onChange={onChange} at="" />
    </Form.Provider>
  );
}
