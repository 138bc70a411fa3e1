// Reads the JSON schemas that pydantic writes: `$ref`s followed, "or null" taken off, and one kind of field for each.
import type { Json, JsonObject } from "../../api/types";

export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  type?: string | string[];
  title?: string;
  description?: string;
  default?: Json;
  enum?: Json[];
  const?: Json;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  patternProperties?: Record<string, Schema>;
  propertyNames?: Schema;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
}

/** `secret` is an object that names one, `map` an object with names of the user's choice, `json` anything else. */
export type Kind = "text" | "number" | "integer" | "boolean" | "choice" | "list" | "object" | "map" | "secret" | "union" | "json";

export interface View {
  kind: Kind;
  /** With everything followed: what holds for the value, null aside. */
  schema: Schema;
  /** Whether null may stand in place of a value. */
  nullable: boolean;
  /** The alternatives of a union; the values of a choice. */
  options: Schema[];
  values: Json[];
}

const MAX_HOPS = 32;

/** Where a `$ref` leads, with what stands beside it winning. Unknown references are taken for anything. */
export function followed(schema: Schema, root: Schema): Schema {
  let found = schema;
  for (let hop = 0; hop < MAX_HOPS; hop += 1) {
    const only = found.$ref === undefined && found.allOf?.length === 1 ? found.allOf[0]! : null;
    if (found.$ref === undefined && only === null) return found;
    const target = only ?? root.$defs?.[decodeURIComponent(found.$ref!.replace(/^#\/\$defs\//, ""))] ?? {};
    const { $ref: _ref, allOf: _all, ...beside } = found;
    found = { ...target, ...beside };
  }
  return {};
}

const isNull = (schema: Schema): boolean => schema.type === "null" || schema.const === null;

/** What to show for a schema. */
export function viewOf(given: Schema, root: Schema): View {
  const schema = followed(given, root);
  const several = schema.anyOf ?? schema.oneOf;
  if (several !== undefined) {
    const all = several.map((one) => followed(one, root));
    const options = all.filter((one) => !isNull(one));
    const { anyOf: _any, oneOf: _one, ...beside } = schema;
    const nullable = options.length < all.length;
    if (options.length === 1) return { ...viewOf({ ...options[0]!, ...beside }, root), nullable };
    if (options.length > 1 && options.every((one) => one.const !== undefined)) {
      return { kind: "choice", schema: beside, nullable, options: [], values: options.map((one) => one.const!) };
    }
    return { kind: options.length === 0 ? "json" : "union", schema: beside, nullable, options, values: [] };
  }
  const types = Array.isArray(schema.type) ? schema.type : schema.type === undefined ? [] : [schema.type];
  const nullable = types.includes("null");
  const type = types.find((one) => one !== "null");
  const view = (kind: Kind, values: Json[] = []): View => ({ kind, schema, nullable, options: [], values });
  if (schema.enum !== undefined) return view("choice", schema.enum.filter((one) => one !== null));
  if (schema.const !== undefined) return view("choice", [schema.const]);
  switch (type) {
    case "string": return view("text");
    case "number": return view("number");
    case "integer": return view("integer");
    case "boolean": return view("boolean");
    case "array": return view(isAnything(schema.items, root) ? "json" : "list");
    case "object": return view(objectKind(schema, root));
    default: return view("json");
  }
}

function objectKind(schema: Schema, root: Schema): Kind {
  const names = Object.keys(schema.properties ?? {});
  if (names.length > 0) {
    return names.includes("secret") && names.every((name) => name === "secret" || name === "prefix") ? "secret" : "object";
  }
  const values = valuesOf(schema);
  if (values !== null && !isAnything(values, root)) return "map";
  // No properties and none allowed: there is nothing to fill in.
  return schema.additionalProperties === false ? "object" : "json";
}

/** What the values of a map are. */
export function valuesOf(schema: Schema): Schema | null {
  const patterned = Object.values(schema.patternProperties ?? {});
  if (patterned.length === 1) return patterned[0]!;
  return typeof schema.additionalProperties === "object" ? schema.additionalProperties : null;
}

/** The pattern that names in a map must fit. */
export const namePatternOf = (schema: Schema): string | null =>
  Object.keys(schema.patternProperties ?? {})[0] ?? schema.propertyNames?.pattern ?? null;

function isAnything(schema: Schema | undefined, root: Schema): boolean {
  if (schema === undefined) return true;
  const { type, anyOf, oneOf, enum: values, const: only, properties } = followed(schema, root);
  return [type, anyOf, oneOf, values, only, properties].every((one) => one === undefined);
}

/** What a new item of a list begins with. */
export function blank(given: Schema, root: Schema): Json {
  const { kind, schema, values, options } = viewOf(given, root);
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  switch (kind) {
    case "object": case "map": return {};
    case "secret": return { secret: "" };
    case "list": return [];
    case "boolean": return false;
    case "choice": return values[0] ?? "";
    case "union": return blank(options[0] ?? {}, root);
    default: return "";
  }
}

const CAPITALS = new Set(["api", "cpu", "gpu", "http", "id", "ip", "json", "mcp", "sql", "ssh", "ui", "uri", "url", "yaml"]);
const UNITS: Record<string, string> = { s: "seconds", ms: "ms", gb: "GB", mb: "MB", bytes: "bytes" };

/** `min_disk_gb` as people read it: "Min disk", in "GB". A title that somebody wrote wins. */
export function labelOf(name: string, schema: Schema): { text: string; unit: string | null } {
  const words = name.split(/[_\s-]+/).filter(Boolean);
  const written = schema.title !== undefined && schema.title.toLowerCase() !== words.join(" ").toLowerCase();
  const numeric = ["number", "integer"].some((type) => JSON.stringify(schema).includes(`"type":"${type}"`));
  const unit = words.length > 1 && numeric ? UNITS[words.at(-1)!.toLowerCase()] ?? null : null;
  if (written) return { text: schema.title!, unit };
  const named = unit === null ? words : words.slice(0, -1);
  const text = named.map((word) => (CAPITALS.has(word) ? word.toUpperCase() : word)).join(" ");
  return { text: text.charAt(0).toUpperCase() + text.slice(1), unit };
}

export const isObject = (value: unknown): value is JsonObject =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** Whether two values are the same JSON. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((one, index) => same(one, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => name in b && same(a[name], b[name]));
}
