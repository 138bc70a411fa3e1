// What is wrong with a draft, before it is sent, in the places of the form: `/connection`, `/steps/<id>/params/...`.
import type { Action, JsonObject, Role } from "../api/types";
import { fallbackOf, isGraph, type Draft, type StepDraft } from "./draft";
import { child, type Faults } from "./form/pointer";
import { referencedSteps } from "./form/references";
import type { Schema } from "./form/schema";
import { isObject } from "./form/schema";
import { validate } from "./form/validate";
import { OPTIONS_SCHEMA, POLICY_SCHEMA } from "./policySchema";
import { readTarget } from "./target";

export interface Known {
  actions: ReadonlyMap<string, Action>;
  may: (role: Role) => boolean;
  role: Role;
}

const KEY = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const MAX_DELAY_S = 86_400;

/** All faults of a draft; empty when it may be sent. */
export function faultsOf(draft: Draft, known: Known): Faults {
  const found: Record<string, string> = {};
  const say = (place: string, message: string) => { found[place] ??= message; };
  const enabled = draft.steps.filter((step) => step.enabled);
  const connection = draft.connection.trim();
  const host = enabled.find((step) => known.actions.get(step.action)?.needs_host);
  if (connection === "" && host) say("/connection", "Give the SSH connection string of the host, such as ssh -p 2838 root@10.1.2.3.");
  if (connection !== "") {
    const read = readTarget(connection);
    if ("fault" in read) say("/connection", read.fault);
  }
  if (draft.steps.length === 0) say("/steps", "Add at least one step.");
  else if (enabled.length === 0) say("/steps", "Switch on at least one step.");
  if ([...draft.name].length > 200) say("/name", "At most 200 characters.");
  const delay = draft.delay.trim() === "" ? 0 : Number(draft.delay);
  if (!(delay >= 0 && delay <= MAX_DELAY_S)) say("/step_delay_s", `Give seconds, from 0 to ${MAX_DELAY_S}.`);
  put(found, "/params", validate({ type: "object" }, draft.params, { references: false }));
  put(found, "", validate(OPTIONS_SCHEMA, draft.options, { references: false }));
  checkKeys(draft, say);
  for (const step of draft.steps) put(found, `/steps/${step.id}`, stepFaults(step, known));
  checkOrder(draft, say);
  return found;
}

function put(found: Record<string, string>, place: string, faults: Faults): void {
  for (const [pointer, message] of Object.entries(faults)) found[`${place}${pointer}`] ??= message;
}

const checked = new WeakMap<StepDraft, { known: Known["actions"]; role: Role; faults: Faults }>();

/** What is wrong with a step by itself. Remembered: of a thousand steps one is being typed in. */
export function stepFaults(step: StepDraft, known: Pick<Known, "actions" | "may" | "role">): Faults {
  const before = checked.get(step);
  if (before?.known === known.actions && before.role === known.role) return before.faults;
  const faults = checkStep(step, known);
  checked.set(step, { known: known.actions, role: known.role, faults });
  return faults;
}

function checkStep(step: StepDraft, known: Pick<Known, "actions" | "may" | "role">): Faults {
  const found: Record<string, string> = {};
  const action = known.actions.get(step.action);
  if (!KEY.test(step.key)) found["/key"] = "Letters, digits, _ and -, at most 64, beginning with a letter or digit.";
  if ([...step.label].length > 200) found["/label"] = "At most 200 characters.";
  if (action === undefined) found["/action"] = `This server has no action ${step.action || "without a name"}.`;
  else if (!known.may(action.role)) found["/action"] = `${step.action} needs the role ${action.role}; yours is ${known.role}.`;
  if (action !== undefined && step.enabled) put(found, "/params", validate(sparing(action), step.params));
  put(found, "", validate(POLICY_SCHEMA, step.policy, { references: false }));
  return found;
}

/** The schema of an action's parameters, without the need for what the server's settings fill in. */
export function sparing(action: Action): Schema {
  const schema = action.parameters as Schema;
  const preset = action.preset;
  return preset.length === 0 ? schema : { ...schema, required: (schema.required ?? []).filter((name) => !preset.includes(name)) };
}

function checkKeys(draft: Draft, say: (place: string, message: string) => void): void {
  const first = new Map<string, string>();
  for (const step of draft.steps) {
    if (first.has(step.key)) say(`/steps/${step.id}/key`, `Another step has the key ${step.key}. Give each its own.`);
    else first.set(step.key, step.id);
  }
}

/** Whether what a step needs and reads comes before it. */
function checkOrder(draft: Draft, say: (place: string, message: string) => void): void {
  const steps = new Map(draft.steps.map((step) => [step.key, step]));
  const graph = isGraph(draft);
  for (const step of draft.steps) {
    step.needs?.forEach((need, index) => {
      if (need === step.key || !steps.has(need)) say(child(`/steps/${step.id}/needs`, index), need === step.key ? "A step cannot need itself." : `There is no step ${need}.`);
    });
    const fallback = fallbackOf(step);
    if (fallback !== null && (fallback === step.key || !steps.get(fallback)?.enabled)) {
      say(`/steps/${step.id}/on_failure/fallback/step`, steps.has(fallback) && fallback !== step.key ? `The step ${fallback} is switched off.` : "Name another step of this workflow.");
    }
  }
  if (graph) {
    const cycle = cycleOf(draft.steps, steps);
    if (cycle !== null) say(`/steps/${cycle[0]!.id}/needs`, `These steps wait for each other: ${cycle.map((step) => step.key).join(", ")}.`);
    if (cycle !== null) return;
  }
  checkReads(draft, steps, graph, say);
}

function checkReads(draft: Draft, steps: Map<string, StepDraft>, graph: boolean, say: (place: string, message: string) => void): void {
  const places = new Map(draft.steps.map((step, index) => [step.key, index]));
  const standsInFor = new Map<string, string[]>();
  for (const step of draft.steps) {
    const fallback = fallbackOf(step);
    if (fallback !== null) standsInFor.set(fallback, [...(standsInFor.get(fallback) ?? []), step.key]);
  }
  draft.steps.forEach((step, index) => {
    if (!step.enabled) return;
    for (const [name, value] of Object.entries(step.params)) {
      for (const key of referencedSteps(value)) {
        const before = places.has(key) && (graph ? isBefore(steps, standsInFor, step, key) : places.get(key)! < index || fallbackOf(step) !== null);
        if (!before) say(child(`/steps/${step.id}/params`, name), places.has(key) ? `The step ${key} does not come before this one.` : `There is no step ${key}.`);
      }
    }
  });
}

function isBefore(steps: Map<string, StepDraft>, standsInFor: Map<string, string[]>, step: StepDraft, key: string): boolean {
  const seen = new Set<string>();
  // A step that stands in for another comes before whoever needs that one, and behind it; the server looks closer.
  const todo = [...(step.needs ?? []), ...(standsInFor.get(step.key) ?? [])];
  while (todo.length > 0) {
    const need = todo.pop()!;
    if (need === key) return true;
    if (seen.has(need)) continue;
    seen.add(need);
    const found = steps.get(need);
    if (found === undefined) continue;
    todo.push(...(found.needs ?? []));
    const fallback = fallbackOf(found);
    if (fallback !== null) todo.push(fallback);
  }
  return false;
}

function cycleOf(list: readonly StepDraft[], steps: Map<string, StepDraft>): StepDraft[] | null {
  const done = new Set<string>();
  for (const start of list) {
    const path: StepDraft[] = [];
    const onPath = new Set<string>();
    // Without recursion: a chain may have thousands of steps.
    const stack: { step: StepDraft; next: number }[] = [];
    const enter = (step: StepDraft) => { stack.push({ step, next: 0 }); path.push(step); onPath.add(step.key); };
    if (!done.has(start.key)) enter(start);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const need = top.step.needs?.[top.next++];
      if (need === undefined) {
        stack.pop();
        path.pop();
        onPath.delete(top.step.key);
        done.add(top.step.key);
      } else if (onPath.has(need) && need !== top.step.key) return path.slice(path.findIndex((step) => step.key === need));
      else if (!done.has(need) && steps.has(need) && need !== top.step.key) enter(steps.get(need)!);
    }
  }
  return null;
}

/** Whether the value is a workflow or a list of steps; for what is pasted. */
export function pastedWorkflow(value: unknown): JsonObject | null {
  if (Array.isArray(value) && value.every(isObject)) return { steps: value };
  return isObject(value) && Array.isArray(value.steps) ? value : null;
}
