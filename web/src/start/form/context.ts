import { createContext } from "preact";
import { useContext } from "preact/hooks";

import type { Json } from "../../api/types";
import type { Faults } from "./pointer";
import type { Schema } from "./schema";

/** What all fields of a form share. */
export interface FormContext {
  root: Schema;
  faults: Faults;
  disabled: boolean;
  /** Whether `{{ ... }}` may stand for a value. */
  references: boolean;
  /** Whether faults of fields that nobody has left yet are shown too. */
  showAll: boolean;
  /** Where the form stands among others, before the pointers of its fields. */
  place: string;
}

export const Form = createContext<FormContext>({ root: {}, faults: {}, disabled: false, references: true, showAll: true, place: "" });
export const useForm = (): FormContext => useContext(Form);

/** What an input for one value is handed. */
export interface InputProps<T extends Json = Json> {
  id: string;
  schema: Schema;
  value: T | undefined;
  onChange: (value: Json | undefined) => void;
  at: string;
  disabled: boolean;
  invalid: boolean;
  describedBy: string | undefined;
}
