// Checks a value against its schema before it is sent, by the rules of the server; the server checks again.
import type { Json, JsonObject } from "../../api/types";
import { child, type Faults } from "./pointer";
import { hasReference, referenceFault } from "./references";
import { isObject, namePatternOf, same, valuesOf, viewOf, type Schema, type View } from "./schema";
import { jsonFault, unparsedText } from "./unparsed";

export interface Rules {
  /** Whether `{{ ... }}` may stand for a value. */
  references?: boolean;
}

/** What is wrong with a value, by place; empty when nothing is. */
export function validate(schema: Schema, value: Json | undefined, { references = true }: Rules = {}): Faults {
  const found: Record<string, string> = {};
  new Checker(schema, references, found).check(schema, value, "");
  return found;
}

class Checker {
  constructor(
    private readonly root: Schema,
    private readonly references: boolean,
    private readonly found: Record<string, string>,
  ) {}

  check(given: Schema, value: Json | undefined, at: string): void {
    const view = viewOf(given, this.root);
    if (value === undefined) return;
    const text = unparsedText(value);
    if (text !== null) return this.say(at, jsonFault(text));
    if (value === null) {
      if (!view.nullable && view.kind !== "json") this.say(at, "May not be empty.");
      return;
    }
    if (typeof value === "string" && this.references && hasReference(value)) {
      const fault = referenceFault(value);
      if (fault !== null) this.say(at, fault);
      return;
    }
    this.byKind(view, value, at);
  }

  private byKind(view: View, value: Json, at: string): void {
    const { schema } = view;
    switch (view.kind) {
      case "text": return this.text(schema, value, at);
      case "number": case "integer": return this.number(view.kind, schema, value, at);
      case "boolean":
        if (typeof value !== "boolean" && value !== "true" && value !== "false") this.say(at, "Choose yes or no.");
        return;
      case "choice":
        if (!view.values.some((one) => same(one, value))) this.say(at, `Choose one of ${view.values.map(String).join(", ")}.`);
        return;
      case "list": return this.list(schema, value, at);
      case "map": return this.map(schema, value, at);
      case "secret": return this.secret(value, at);
      case "object": return this.object(schema, value, at);
      case "union": return this.union(view, value, at);
      case "json": return this.json(schema, value, at);
    }
  }

  private text(schema: Schema, value: Json, at: string): void {
    if (typeof value !== "string") return this.say(at, "Give a text.");
    const length = [...value].length;
    if (length < (schema.minLength ?? 0)) return this.say(at, length === 0 ? "Required." : `At least ${schema.minLength} characters.`);
    if (length > (schema.maxLength ?? Infinity)) return this.say(at, `At most ${schema.maxLength} characters; these are ${length}.`);
    if (schema.pattern !== undefined && !fits(schema.pattern, value)) this.say(at, `Does not fit ${schema.pattern}`);
  }

  private number(kind: "number" | "integer", schema: Schema, value: Json, at: string): void {
    const number = typeof value === "number" ? value : typeof value === "string" && value.trim() !== "" ? Number(value) : NaN;
    if (!Number.isFinite(number)) return this.say(at, kind === "integer" ? "Give a whole number." : "Give a number.");
    if (kind === "integer" && !Number.isInteger(number)) return this.say(at, "Give a whole number.");
    if (schema.minimum !== undefined && number < schema.minimum) return this.say(at, `At least ${schema.minimum}.`);
    if (schema.maximum !== undefined && number > schema.maximum) return this.say(at, `At most ${schema.maximum}.`);
    if (schema.exclusiveMinimum !== undefined && number <= schema.exclusiveMinimum) return this.say(at, `More than ${schema.exclusiveMinimum}.`);
    if (schema.exclusiveMaximum !== undefined && number >= schema.exclusiveMaximum) this.say(at, `Less than ${schema.exclusiveMaximum}.`);
  }

  private list(schema: Schema, value: Json, at: string): void {
    if (!Array.isArray(value)) return this.say(at, "Give a list.");
    value.forEach((one, index) => this.check(schema.items ?? {}, one, child(at, index)));
    this.count(value.length, schema.minItems, schema.maxItems, at);
  }

  private map(schema: Schema, value: Json, at: string): void {
    if (!isObject(value)) return this.say(at, "Give names and values.");
    const pattern = namePatternOf(schema);
    for (const [name, one] of Object.entries(value)) {
      if (pattern !== null && !fits(pattern, name)) this.say(child(at, name), `The name does not fit ${pattern}`);
      else this.check(valuesOf(schema) ?? {}, one, child(at, name));
    }
    this.count(Object.keys(value).length, schema.minProperties, schema.maxProperties, at);
  }

  private secret(value: Json, at: string): void {
    const name = isObject(value) ? value.secret : null;
    if (typeof name !== "string") return this.say(at, "Give the name of a secret.");
    if (name === "") return this.say(at, "Required.");
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(name)) {
      this.say(at, "The name of a secret, not the secret: letters, digits, _ and -, beginning with a letter.");
    }
  }

  private object(schema: Schema, value: Json, at: string): void {
    if (!isObject(value)) return this.say(at, "Give an object.");
    const properties = schema.properties ?? {};
    for (const name of schema.required ?? []) if (value[name] === undefined) this.say(child(at, name), "Required.");
    for (const [name, one] of Object.entries(value)) {
      const property = properties[name];
      if (property !== undefined) this.check(property, one, child(at, name));
      else if (schema.additionalProperties === false) this.say(child(at, name), `There is no ${name} here.`);
      else this.check({}, one, child(at, name));
    }
  }

  private json(schema: Schema, value: Json, at: string): void {
    if (schema.type === "object" && !isObject(value)) return this.say(at, "Give an object, in { }.");
    if (schema.type === "array") {
      if (!Array.isArray(value)) return this.say(at, "Give a list, in [ ].");
      this.count(value.length, schema.minItems, schema.maxItems, at);
    }
    this.within(value, at);
  }

  /** References deep in free JSON. */
  private within(value: Json, at: string): void {
    const text = unparsedText(value);
    if (text !== null) return this.say(at, jsonFault(text));
    if (typeof value === "string" && this.references && hasReference(value)) {
      const fault = referenceFault(value);
      if (fault !== null) this.say(at, fault);
    } else if (Array.isArray(value)) value.forEach((one, index) => this.within(one, child(at, index)));
    else if (isObject(value)) for (const [name, one] of Object.entries(value)) this.within(one, child(at, name));
  }

  private union(view: View, value: Json, at: string): void {
    const option = view.options[optionOf(view, value, this.root)];
    const tried = view.options.map((one) => validate({ ...one, $defs: this.root.$defs ?? {} }, value, { references: this.references }));
    if (tried.some((faults) => Object.keys(faults).length === 0)) return;
    if (option !== undefined) this.check(option, value, at);
  }

  private count(count: number, least: number | undefined, most: number | undefined, at: string): void {
    if (count < (least ?? 0)) this.say(at, count === 0 ? "Add at least one." : `Add at least ${least}.`);
    else if (count > (most ?? Infinity)) this.say(at, `At most ${most}; these are ${count}.`);
  }

  private say(at: string, message: string): void {
    this.found[at] ??= message;
  }
}

/** Which alternative of a union a value is meant for: the first of its type. */
export function optionOf(view: View, value: Json | undefined, root: Schema): number {
  const found = view.options.findIndex((one) => {
    const { kind } = viewOf(one, root);
    switch (kind) {
      case "text": case "choice": return typeof value === "string";
      case "number": case "integer": return typeof value === "number";
      case "boolean": return typeof value === "boolean";
      case "list": return Array.isArray(value);
      case "secret": return isObject(value) && "secret" in value;
      case "object": case "map": return isObject(value) && unparsedText(value) === null;
      default: return value !== undefined;
    }
  });
  return Math.max(0, found);
}

/** Whether a text fits a pattern as the server reads it; one that this browser cannot read is left to the server. */
function fits(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return true;
  }
}

/** Required parameters that are left out. */
export const missingOf = (schema: Schema, value: JsonObject): string[] =>
  (schema.required ?? []).filter((name) => value[name] === undefined);
