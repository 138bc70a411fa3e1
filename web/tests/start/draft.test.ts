import { describe, expect, it } from "vitest";

import type { Action, JsonObject, State } from "../../src/api/types";
import { faultsOf, pastedWorkflow, type Known } from "../../src/start/check";
import { aloneOf, asGraph, draftOf, emptyDraft, freeKey, isGraph, newStep, templateOf, withCopy, withKey, withoutStep, workflowOf, type Draft } from "../../src/start/draft";
import { parsedJson } from "../../src/start/form/unparsed";
import { provisioningDraft, restored } from "../../src/start/provisioning";
import { moved, placeAt } from "../../src/start/reorder";
import { found } from "../../src/start/search";
import { paramsRead, paramsSchema, stepSummary } from "../../src/start/summary";

const action = (name: string, given: Partial<Action> = {}): Action =>
  ({ name, summary: `${name} does something`, role: "operator", needs_host: name.startsWith("ssh."), parameters: { type: "object", properties: {} }, preset: [] as string[], ...given }) as Action;

const ACTIONS = [
  action("noop", { parameters: { type: "object", properties: { message: { type: "string", maxLength: 5 } }, additionalProperties: true } }),
  action("shell.command", { role: "admin" }),
  action("ssh.test_ssh"),
  action("ssh.sync_instance", { parameters: { type: "object", required: ["local"], properties: { local: { type: "string" } } } }),
  action("ssh.reboot_instance"),
];
const known: Known = { actions: new Map(ACTIONS.map((one) => [one.name, one])), may: (role) => role !== "admin", role: "operator" };

/** Steps named by letters, each with its needs, after the keys they stand for. */
function workflow(...steps: [key: string, needs: string[] | null, given?: JsonObject][]): Draft {
  return draftOf({ steps: steps.map(([key, needs, given]) => ({ key, action: "noop", ...(needs === null ? {} : { needs }), ...given })) });
}
/** Faults with keys in place of the form's ids. */
function faults(draft: Draft): Record<string, string> {
  const keys = new Map(draft.steps.map((step) => [step.id, step.key]));
  return Object.fromEntries(Object.entries(faultsOf(draft, known)).map(([place, text]) => [place.replace(/^\/steps\/([^/]+)/, (all, id: string) => (keys.has(id) ? `/steps/${keys.get(id)}` : all)), text]));
}

describe("a draft", () => {
  const whole: JsonObject = {
    name: "Nightly", ssh: "ssh -p 22 root@gpu", step_delay_s: 2, params: { x: 1 }, priority: 7, template_id: "t",
    steps: [
      { key: "a", action: "noop", label: "First", params: { message: "m" }, needs: [], timeout_s: 5, retry: { max_attempts: 2 } },
      { key: "b", action: "noop", needs: ["a"], enabled: false, when: "steps.a.result.x > 1", on_failure: { fallback: { value: null } } },
    ],
  };

  it("becomes the workflow that it was read from", () => {
    expect(workflowOf(draftOf(whole)).workflow).toEqual(whole);
    expect(workflowOf(draftOf({ steps: [{ key: "a", action: "noop" }] })).workflow).toEqual({ steps: [{ key: "a", action: "noop" }] });
  });

  it("reads the host as text and as object, and the old form", () => {
    expect(draftOf({ ssh: { host: "gpu", user: "ada", port: 2, key: "lab" }, steps: [] }).connection).toBe("ssh -p 2 -i lab ada@gpu");
    const old = draftOf({ ssh_connection: "root@gpu", step_delay: 5, steps: [{ index: 0, action: "test_ssh", label: "Test", status: "pending" }, { action: "test_ssh" }] });
    expect(old).toMatchObject({ connection: "root@gpu", delay: "5" });
    expect(old.steps.map((step) => step.key)).toEqual(["test_ssh", "test_ssh_2"]);
  });

  it("says which step of the form each step sent is", () => {
    const draft = draftOf(whole);
    expect(workflowOf(draft).stepIds).toEqual(draft.steps.map((step) => step.id));
  });

  it("is kept as a template without its host and origin", () => {
    const { ssh: _ssh, template_id: _id, ...rest } = whole;
    expect(templateOf(draftOf(whole))).toEqual(rest);
  });

  it("gives one step to be run alone, without what ties it to others", () => {
    const draft = draftOf(whole);
    expect(aloneOf(draft, draft.steps[1]!).workflow).toEqual({ name: "b", ssh: "ssh -p 22 root@gpu", params: { x: 1 }, priority: 7, template_id: "t", steps: [{ key: "b", action: "noop" }] });
  });

  it("sends what was typed half in a step that is off as text", () => {
    const draft = { ...emptyDraft(), steps: [newStep("noop", [], { enabled: false, params: { deep: [parsedJson("{x")!] } })] };
    expect(workflowOf(draft).workflow.steps).toEqual([{ key: "noop", action: "noop", params: { deep: ["{x"] }, enabled: false }]);
  });

  it("makes keys that are free", () => {
    expect([freeKey("ssh.test_ssh", []), freeKey("a.b c!", ["b_c_"]), freeKey("noop", ["noop", "noop_2"]), freeKey("--", [])]).toEqual(["test_ssh", "b_c__2", "noop_3", "step"]);
  });

  it("lets others follow when a step is renamed, copied or removed", () => {
    const draft = workflow(["a", []], ["b", ["a"]], ["c", ["b"], { on_failure: { fallback: { step: "b" } } }]);
    const renamed = withKey(draft, draft.steps[1]!.id, "x");
    expect(renamed.steps.map((step) => step.needs)).toEqual([[], ["a"], ["x"]]);
    expect(renamed.steps[2]!.policy.on_failure).toEqual({ fallback: { step: "x" } });
    expect(renamed.steps[0]).toBe(draft.steps[0]);
    expect(withoutStep(draft, draft.steps[1]!.id).steps.map((step) => step.needs)).toEqual([[], ["a"]]);
    expect(withCopy(draft, draft.steps[1]!.id).steps.map((step) => step.key)).toEqual(["a", "b", "b_2", "c"]);
  });

  it("does not take needs along while two steps have the same key", () => {
    const draft = workflow(["a", []], ["a", []], ["c", ["a"]]);
    expect(withKey(draft, draft.steps[1]!.id, "b").steps[2]!.needs).toEqual(["a"]);
  });

  it("turns a list into a graph of the same order, and back", () => {
    const graph = asGraph(workflow(["a", null], ["b", null]), true);
    expect(graph.steps.map((step) => step.needs)).toEqual([[], ["a"]]);
    expect([isGraph(graph), isGraph(asGraph(graph, false))]).toEqual([true, false]);
  });
});

describe("the check before a start", () => {
  it("refuses to start without a host, and without a step", () => {
    const draft = { ...emptyDraft(), steps: [newStep("ssh.test_ssh", [])] };
    expect(faults(draft)).toEqual({ "/connection": "Give the SSH connection string of the host, such as ssh -p 2838 root@10.1.2.3." });
    expect(faults({ ...draft, connection: "root:x@gpu" })["/connection"]).toMatch(/^A password is refused/);
    expect(faults({ ...draft, connection: "root@gpu" })).toEqual({});
    expect(faults({ ...draft, steps: [{ ...draft.steps[0]!, enabled: false }] })).toEqual({ "/steps": "Switch on at least one step." });
    expect(faults(emptyDraft())).toEqual({ "/steps": "Add at least one step." });
  });

  it("names unknown actions, missing rights, keys used twice and wrong parameters", () => {
    const draft = draftOf({
      steps: [{ key: "a", action: "fly" }, { key: "b", action: "shell.command" }, { key: "b", action: "noop" }, { key: "d", action: "noop", params: { message: "too long" } }, { key: "-e", action: "noop", label: "x".repeat(201) }],
    });
    expect(Object.values(faultsOf(draft, known))).toEqual([
      "Another step has the key b. Give each its own.", "This server has no action fly.", "shell.command needs the role admin; yours is operator.",
      "At most 5 characters; these are 8.", "Letters, digits, _ and -, at most 64, beginning with a letter or digit.", "At most 200 characters.",
    ]);
  });

  it("does not mind the parameters of a step that is off", () => {
    expect(faults(workflow(["a", null], ["b", null, { enabled: false, params: { message: "too long" } }]))).toEqual({});
  });

  it("does not need what the server's settings fill in", () => {
    const preset = { ...ACTIONS[3]!, preset: ["local"] };
    const draft = { ...emptyDraft(), connection: "root@gpu", steps: [newStep("ssh.sync_instance", [])] };
    expect(faults(draft)).toEqual({ "/steps/sync_instance/params/local": "Required." });
    expect(faultsOf({ ...draft, steps: [newStep("ssh.sync_instance", [])] }, { ...known, actions: new Map([[preset.name, preset]]) })).toEqual({});
  });

  it("checks what a workflow and its steps say about how they run", () => {
    const draft = draftOf({ priority: 21, step_delay_s: -1, params: [1], steps: [{ key: "a", action: "noop", timeout_s: 0, retry: { max_attempts: 0 }, on_lost: "shrug", on_failure: { fallback: { step: "b" } } }] });
    expect(faults(draft)).toEqual({
      "/priority": "At most 20.", "/step_delay_s": "Give seconds, from 0 to 86400.", "/params": "Give an object, in { }.",
      "/steps/a/timeout_s": "More than 0.", "/steps/a/retry/max_attempts": "At least 1.", "/steps/a/on_lost": "Choose one of retry, fail.", "/steps/a/on_failure/fallback/step": "Name another step of this workflow.",
    });
  });

  it("finds needs of nobody, and circles", () => {
    expect(faults(workflow(["a", ["a"]], ["b", ["x"]]))).toEqual({ "/steps/a/needs/0": "A step cannot need itself.", "/steps/b/needs/0": "There is no step x." });
    expect(faults(workflow(["a", []], ["b", ["d"]], ["c", ["b"]], ["d", ["a", "c"]]))).toEqual({ "/steps/b/needs": "These steps wait for each other: b, d, c." });
  });

  it("walks a chain of ten thousand", () => {
    const steps = Array.from({ length: 10_000 }, (_, index): [string, string[]] => [`s${index}`, index === 0 ? [] : [`s${index - 1}`]]);
    expect(faults(workflow(...steps.toReversed()))).toEqual({});
  });

  it("sees that what is read comes before", () => {
    const reads = (key: string) => ({ params: { x: `{{ steps.${key}.result }}` } });
    expect(faults(workflow(["a", null, reads("b")], ["b", null, reads("a")], ["c", null, reads("z")]))).toEqual({
      "/steps/a/params/x": "The step b does not come before this one.", "/steps/c/params/x": "There is no step z.",
    });
    expect(faults(workflow(["a", []], ["b", ["a"]], ["c", ["b"], reads("a")], ["d", [], reads("a")]))).toEqual({ "/steps/d/params/x": "The step a does not come before this one." });
  });

  it("lets a step that stands in for another read what that one read", () => {
    const draft = workflow(["a", []], ["b", ["a"], { on_failure: { fallback: { step: "f" } } }], ["f", [], { params: { x: "{{ steps.a.result }}" } }]);
    expect(faults(draft)).toEqual({});
  });

  it("knows a workflow when one is pasted", () => {
    expect(pastedWorkflow([{ key: "a" }])).toEqual({ steps: [{ key: "a" }] });
    expect(pastedWorkflow({ steps: [] })).toEqual({ steps: [] });
    expect([pastedWorkflow({}), pastedWorkflow([1]), pastedWorkflow("x")]).toEqual([null, null, null]);
  });
});

describe("the usual steps", () => {
  it("are those that the server has; what cannot run as it stands, and the reboot, is off", () => {
    const draft = provisioningDraft(ACTIONS, "5");
    expect(draft.steps.map((step) => [step.key, step.enabled])).toEqual([["test_ssh", true], ["sync_instance", false], ["reboot_instance", false]]);
    expect(draft.delay).toBe("5");
  });

  it("come back as the run in hand has them", () => {
    const draft = provisioningDraft(ACTIONS, "5");
    const run = { ssh_connection: "ssh -p 2 root@gpu", steps: [{ key: "test_ssh", status: "skipped" }, { key: "reboot_instance", status: "pending" }] } as unknown as State;
    const back = restored(draft, run, "ssh -p 22 root@other");
    expect([back.connection, back.steps.map((step) => step.enabled)]).toEqual(["ssh -p 2 root@gpu", [false, false, true]]);
    expect(restored(draft, null, "ssh -p 22 root@other").connection).toBe("ssh -p 22 root@other");
    const alone = { ...run, steps: run.steps.slice(1) } as State;
    expect(restored(draft, alone, undefined).steps).toEqual(draft.steps);
  });
});

describe("the list", () => {
  it("moves what is dragged behind all whose middle is above the pointer", () => {
    const rows = [{ index: 0, top: 0, bottom: 40 }, { index: 1, top: 40, bottom: 240 }, { index: 2, top: 240, bottom: 280 }];
    expect([placeAt(10, rows, 0), placeAt(139, rows, 0), placeAt(141, rows, 0), placeAt(1000, rows, 0), placeAt(-5, rows, 2)]).toEqual([0, 0, 1, 2, 0]);
    // Of a long list only what is in view is drawn, and the row that is dragged.
    const drawn = [{ index: 3, top: -900, bottom: -860 }, { index: 700, top: 0, bottom: 40 }, { index: 701, top: 40, bottom: 80 }];
    expect([placeAt(-5, drawn, 3), placeAt(30, drawn, 3), placeAt(70, drawn, 3)]).toEqual([699, 700, 701]);
    const below = [{ index: 700, top: 0, bottom: 40 }, { index: 701, top: 40, bottom: 80 }, { index: 1999, top: 900, bottom: 940 }];
    expect([placeAt(-5, below, 1999), placeAt(30, below, 1999), placeAt(70, below, 1999)]).toEqual([700, 701, 702]);
    expect(placeAt(10, [{ index: 4, top: 0, bottom: 40 }], 4)).toBe(4);
    expect(moved(["a", "b", "c"], 0, 1)).toEqual(["b", "a", "c"]);
    expect(moved(["a", "b", "c"], 2, -4)).toEqual(["c", "a", "b"]);
    expect(moved(["a"], 3, 0)).toEqual(["a"]);
  });

  it("says in a line what is set", () => {
    const step = newStep("noop", [], { params: { path: "~/venv", packages: ["a", "b", "c", "d"], key: { secret: "s" }, n: 0, on: false } });
    expect(stepSummary(step)).toBe("path ~/venv, packages (4), key secret s, n 0, on false");
    expect(stepSummary(newStep("noop", []))).toBeNull();
    expect(stepSummary(newStep("noop", [], { params: { a: "x".repeat(99), b: "y".repeat(99), c: "z".repeat(99) } }))).toHaveLength(100);
  });

  it("finds actions by name before what they do", () => {
    expect(found([action("a.sync"), action("b", { summary: "Sync it" }), action("sync.x")], "sync").map((one) => one.name)).toEqual(["a.sync", "sync.x", "b"]);
    expect(found(ACTIONS, "ssh test").map((one) => one.name)).toEqual(["ssh.test_ssh"]);
    expect(found(ACTIONS, "nothing like it")).toEqual([]);
  });

  it("asks for the parameters that the steps read", () => {
    const read = paramsRead([{ a: "{{ params.who }}" }, { when: "params.count > 3" }]);
    expect([...read]).toEqual(["who", "count"]);
    expect(paramsSchema(read, { count: 3, deep: { a: 1 } })).toEqual({
      type: "object", additionalProperties: true,
      properties: { who: { title: "who", type: "string", maxLength: 4096 }, count: { title: "count", type: "number", maxLength: 4096, default: 3 }, deep: { title: "deep", default: { a: 1 } } },
    });
  });
});
