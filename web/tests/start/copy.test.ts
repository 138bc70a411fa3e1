import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";

import { asCurl, asJson, asYaml, quoted } from "../../src/start/copy";

const workflow = { workflow_id: "once-1", name: "It's $HOME `here`", steps: [{ key: "a", action: "noop" }], metadata: { x: 1 } };

describe("a copy of a workflow", () => {
  it("is curl with the token from the environment and without the id of one start", () => {
    const line = asCurl(workflow, "https://perdure.example.org");
    expect(line).toContain("curl -sS --fail-with-body https://perdure.example.org/workflow/start \\\n");
    expect(line).toContain('-H "Authorization: Bearer $PERDURE_TOKEN"');
    expect(line).not.toContain("once-1");
  });

  it("reaches curl through a real shell as it was", () => {
    const line = asCurl(workflow, "http://127.0.0.1:8400").replace(/^curl/, 'printf "%s\\0"');
    const words = execFileSync("/bin/sh", ["-c", line], { env: { PERDURE_TOKEN: "t o'k" }, encoding: "utf8" }).split("\0");
    expect(words).toContain("Authorization: Bearer t o'k");
    expect(JSON.parse(words[words.indexOf("--data-raw") + 1]!)).toEqual({ name: workflow.name, steps: workflow.steps });
  });

  it("is YAML and JSON of the same", () => {
    expect(asYaml(workflow)).toBe('name: "It\'s $HOME `here`"\nsteps:\n  - key: a\n    action: noop\n');
    expect(JSON.parse(asJson(workflow))).toEqual({ name: workflow.name, steps: workflow.steps });
  });

  it("quotes for a shell only what needs it", () => {
    expect(["a-b", "a b", "it's", "", "$x"].map(quoted)).toEqual(["a-b", "'a b'", "'it'\\''s'", "''", "'$x'"]);
  });
});
