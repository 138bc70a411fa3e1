import { describe, expect, it } from "vitest";

import type { Json } from "../../src/api/types";
import { hasReference, referencedSteps, referenceFault } from "../../src/start/form/references";
import { blank, labelOf, same, viewOf, type Schema } from "../../src/start/form/schema";
import { jsonText, parsedJson, unparsed, unparsedText } from "../../src/start/form/unparsed";
import { optionOf, validate } from "../../src/start/form/validate";

// As pydantic writes them.
const NODES: Schema = {
  $defs: {
    Node: {
      type: "object",
      additionalProperties: false,
      required: ["name", "url"],
      properties: {
        name: { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", title: "Name" },
        url: { type: "string", minLength: 1, maxLength: 4096, title: "Url" },
        ref: { anyOf: [{ type: "string", maxLength: 200 }, { type: "null" }], default: null, title: "Ref" },
      },
    },
    SecretRef: { type: "object", additionalProperties: false, required: ["secret"], properties: { secret: { type: "string", pattern: "^[A-Za-z]" } } },
  },
  type: "object",
  additionalProperties: false,
  required: ["nodes"],
  properties: {
    nodes: { type: "array", items: { $ref: "#/$defs/Node" }, minItems: 1, maxItems: 2 },
    parallel: { type: "integer", minimum: 1, maximum: 6, default: 3 },
    wait_s: { anyOf: [{ type: "number", exclusiveMinimum: 0 }, { type: "null" }], default: null },
    mode: { enum: ["install", "skip"], type: "string", default: "install" },
    input: { anyOf: [{ type: "string" }, { $ref: "#/$defs/SecretRef" }, { type: "null" }], default: null },
    env: { type: "object", patternProperties: { "^[A-Za-z_][A-Za-z0-9_]*$": { type: "string", maxLength: 3 } } },
    verbose: { type: "boolean", default: false },
    anything: { default: null },
  },
};
const node = { name: "a", url: "https://x" };
const check = (value: Json) => validate(NODES, value);

describe("validation before sending", () => {
  it("accepts what the server accepts", () => {
    expect(check({ nodes: [node] })).toEqual({});
    expect(check({ nodes: [{ ...node, ref: null }], parallel: 6, wait_s: 0.1, mode: "skip", input: { secret: "civitai" }, env: { A: "x" }, verbose: true, anything: [1, { a: null }] })).toEqual({});
    expect(check({ nodes: [node], wait_s: null, input: null })).toEqual({});
  });

  it("names every fault by its place", () => {
    expect(
      check({ nodes: [{ name: "-a" }, node, node], parallel: 7, wait_s: 0, mode: "both", input: { secret: "not a name" }, env: { "1": "x", B: "long" }, verbose: "maybe", what: 1 }),
    ).toEqual({
      "/nodes/0/url": "Required.",
      "/nodes/0/name": "Does not fit ^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
      "/nodes": "At most 2; these are 3.",
      "/parallel": "At most 6.",
      "/wait_s": "More than 0.",
      "/mode": "Choose one of install, skip.",
      "/input": "The name of a secret, not the secret: letters, digits, _ and -, beginning with a letter.",
      "/env/1": "The name does not fit ^[A-Za-z_][A-Za-z0-9_]*$",
      "/env/B": "At most 3 characters; these are 4.",
      "/verbose": "Choose yes or no.",
      "/what": "There is no what here.",
    });
    expect(check({})).toEqual({ "/nodes": "Required." });
    expect(check({ nodes: [] })).toEqual({ "/nodes": "Add at least one." });
  });

  it("takes a number that is none for a fault, not for nothing", () => {
    expect(check({ nodes: [node], parallel: "12a" })["/parallel"]).toBe("Give a whole number.");
    expect(check({ nodes: [node], parallel: 1.5 })["/parallel"]).toBe("Give a whole number.");
    expect(check({ nodes: [node], parallel: null })["/parallel"]).toBe("May not be empty.");
  });

  it("counts characters as the server does, not halves of them", () => {
    expect(validate({ type: "string", maxLength: 2 }, "😀😀")).toEqual({});
    expect(validate({ type: "string", maxLength: 1 }, "😀😀")).toEqual({ "": "At most 1 characters; these are 2." });
  });

  it("lets references stand for any value, and reads them", () => {
    expect(check({ nodes: "{{ steps.list.result.nodes }}", parallel: "{{ params.n }}", verbose: "{{params.v}}", mode: "{{ run.id }}" })).toEqual({});
    expect(check({ nodes: [{ name: "{{ params.name }}", url: "https://{{ params.host }}/x" }] })).toEqual({});
    expect(check({ nodes: [node], parallel: "{{ param.n }}" })["/parallel"]).toMatch(/^\{\{ param\.n \}\} names nothing/);
    expect(check({ nodes: [node], anything: { deep: ["{{ params"] } })["/anything/deep/0"]).toMatch(/^After \{\{/);
    expect(validate({ type: "integer" }, "{{ params.n }}", { references: false })).toEqual({ "": "Give a whole number." });
  });

  it("never lets a reference name a secret", () => {
    expect(check({ nodes: [node], input: { secret: "{{ params.s }}" } })["/input"]).toMatch(/^The name of a secret/);
  });

  it("keeps what is no JSON yet, as a fault", () => {
    const half = parsedJson('{"a": ')!;
    expect(unparsedText(half)).toBe('{"a": ');
    expect(jsonText(half)).toBe('{"a": ');
    expect(check({ nodes: [node], anything: half })["/anything"]).toMatch(/^This is not JSON/);
    expect(parsedJson(" 1.50 ")).toBe(1.5);
    expect(parsedJson("  ")).toBeUndefined();
    expect(parsedJson("{{ steps.a.result }}")).toBe("{{ steps.a.result }}");
    expect(jsonText(parsedJson('{"a":[1]}'))).toBe('{\n  "a": [\n    1\n  ]\n}');
    expect(JSON.parse(JSON.stringify(unparsed("x{")))).toEqual(unparsed("x{"));
  });

  it("ignores a pattern that this browser cannot read", () => {
    expect(validate({ type: "string", pattern: "(?x)[" }, "a")).toEqual({});
  });
});

describe("what is shown for a schema", () => {
  const kind = (schema: Schema) => viewOf(schema, NODES).kind;

  it("follows pydantic", () => {
    const properties = NODES.properties!;
    expect(Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, kind(schema)]))).toEqual({
      nodes: "list", parallel: "integer", wait_s: "number", mode: "choice", input: "union", env: "map", verbose: "boolean", anything: "json",
    });
    expect(kind({ $ref: "#/$defs/SecretRef" })).toBe("secret");
    expect(kind({ allOf: [{ $ref: "#/$defs/Node" }], description: "x" })).toBe("object");
    expect(viewOf(properties.wait_s!, NODES)).toMatchObject({ nullable: true, schema: { exclusiveMinimum: 0, default: null } });
    expect(kind({ type: "array", items: {} })).toBe("json");
    expect(kind({ type: "object", additionalProperties: true })).toBe("json");
    expect(kind({ type: ["integer", "null"] })).toBe("integer");
    expect(kind({ $ref: "#/$defs/Missing" })).toBe("json");
    expect(kind({ const: 3 })).toBe("choice");
  });

  it("is not led in circles", () => {
    const loop: Schema = { $defs: { A: { $ref: "#/$defs/A" } }, $ref: "#/$defs/A" };
    expect(viewOf(loop, loop).kind).toBe("json");
  });

  it("finds the alternative that a value is of", () => {
    const view = viewOf(NODES.properties!.input!, NODES);
    expect([optionOf(view, "x", NODES), optionOf(view, { secret: "s" }, NODES), optionOf(view, undefined, NODES)]).toEqual([0, 1, 0]);
  });

  it("begins a new item with its defaults", () => {
    expect(blank(NODES.properties!.nodes!.items!, NODES)).toEqual({});
    expect(blank({ $ref: "#/$defs/SecretRef" }, NODES)).toEqual({ secret: "" });
    expect(blank({ type: "integer", default: 4 }, NODES)).toBe(4);
  });

  it("names fields as people read them", () => {
    expect(labelOf("min_disk_gb", { type: "number", title: "Min Disk Gb" })).toEqual({ text: "Min disk", unit: "GB" });
    expect(labelOf("timeout_s", { anyOf: [{ type: "number" }, { type: "null" }] })).toEqual({ text: "Timeout", unit: "seconds" });
    expect(labelOf("index_url", { type: "string" })).toEqual({ text: "Index URL", unit: null });
    expect(labelOf("s", { type: "number", title: "Seconds to wait" })).toEqual({ text: "Seconds to wait", unit: null });
  });

  it("compares values as JSON", () => {
    expect(same({ a: [1, { b: null }] }, { a: [1, { b: null }] })).toBe(true);
    expect(same({ a: 1 }, { a: 1, b: 2 })).toBe(false);
    expect(same([1], { 0: 1 } as unknown as Json)).toBe(false);
    expect(same({ a: 1, b: 1 }, { a: 1, c: 1 })).toBe(false);
  });
});

describe("references", () => {
  it.each(["{{ params.x }}", "{{steps.a-1.result}}", "{{ steps.a.result.files.0 }}", "{{ steps.a.status }}", "{{ run.id }}", "a {{ params }} b {{ run.x }}"])("reads %s", (text) => {
    expect(hasReference(text)).toBe(true);
    expect(referenceFault(text)).toBeNull();
  });
  it.each(["{{", "{{ }}", "{{ params. }}", "{{ steps.a }}", "{{ steps.a.status.x }}", "{{ other.x }}", "{{ run }}", "{{ params.x }} {{ oops", "{{ params.$x }}"])("refuses %s", (text) => {
    expect(referenceFault(text)).not.toBeNull();
  });
  it("finds the steps that are read", () => {
    expect([...referencedSteps({ a: ["{{ steps.x.result }} {{ steps.y.status }}"], b: { c: "{{ params.z }}" } })]).toEqual(["x", "y"]);
  });
});
