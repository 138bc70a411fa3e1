import type { Json, JsonObject } from "../api/types";
import { counted } from "../format/counts";
import type { StepDraft } from "./draft";
import { isObject } from "./form/schema";
import { unparsedText } from "./form/unparsed";

const MAX_CHARS = 100;

/** What is set of a step, in one line: `path ~/venv, packages (3)`; null when nothing is. */
export function stepSummary(step: StepDraft): string | null {
  const parts = Object.entries(step.params).map(([name, value]) => `${name} ${valueSummary(value)}`);
  return parts.length === 0 ? null : clipped(parts.join(", "), MAX_CHARS);
}

function valueSummary(value: Json): string {
  const typed = unparsedText(value);
  if (typed !== null) return clipped(typed, 24);
  if (Array.isArray(value)) return value.length <= 3 && value.every((one) => typeof one === "string") ? value.join(" ") : `(${value.length})`;
  if (isObject(value)) return typeof value.secret === "string" ? `secret ${value.secret}` : `(${Object.keys(value).length})`;
  return clipped(String(value).replace(/\s+/g, " "), 40);
}

const clipped = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** What the button says that starts so many of all steps. */
export const runLabel = (on: number, all: number): string => (on === 0 ? "Run" : `Run ${on === all && all > 1 ? "all " : ""}${counted(on, "step")}`);

/** Names of run parameters that a workflow reads by `{{ params.name }}`, in the order they are met. */
export function paramsRead(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value === "string") for (const match of value.matchAll(/\bparams\.([A-Za-z0-9_][A-Za-z0-9_-]*)/g)) found.add(match[1]!);
  else if (Array.isArray(value)) for (const one of value) paramsRead(one, found);
  else if (value !== null && typeof value === "object") for (const one of Object.values(value)) paramsRead(one, found);
  return found;
}

/** A form for run parameters: a field for each that the steps read or the template gives, of the type it has there. */
export function paramsSchema(read: Iterable<string>, given: JsonObject): JsonObject {
  const properties: JsonObject = {};
  for (const name of new Set([...read, ...Object.keys(given)])) {
    const value = given[name];
    const type = typeof value === "string" || value === undefined ? "string" : typeof value === "number" ? "number" : typeof value === "boolean" ? "boolean" : null;
    properties[name] = { title: name, ...(type === null ? {} : { type, maxLength: 4096 }), ...(value === undefined ? {} : { default: value }) };
  }
  return { type: "object", properties, additionalProperties: true };
}
