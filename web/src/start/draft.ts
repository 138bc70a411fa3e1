// What is being written on the Start page, and how it becomes a workflow that the server reads. Pure.
import type { Json, JsonObject } from "../api/types";
import { isObject } from "./form/schema";
import { jsonText, unparsedText } from "./form/unparsed";

/** What a step may say besides what it does; absent: the action's, or the run's. */
export const POLICY_FIELDS = ["when", "timeout_s", "delay_s", "retry", "on_failure", "on_lost", "locks", "lock_wait_s", "concurrency", "rate_limits", "breaker"] as const;

export interface StepDraft {
  /** Names it in this form, whatever its key and place become. */
  id: string;
  key: string;
  action: string;
  label: string;
  enabled: boolean;
  params: JsonObject;
  /** Keys of the steps it needs; null: the one before it. */
  needs: string[] | null;
  policy: JsonObject;
}

export interface Draft {
  name: string;
  /** The host as it is typed. */
  connection: string;
  /** Seconds between steps as they are typed; "": none. */
  delay: string;
  params: Json;
  /** Fields of the workflow that have no place of their own here, such as `priority`. */
  options: JsonObject;
  templateId: string | null;
  steps: StepDraft[];
}

let lastId = 0;
/** Names a step of the form; unique also after a reload brought steps back. */
export const newStepId = (): string => `s${Date.now().toString(36)}${(lastId += 1)}`;

export const emptyDraft = (): Draft => ({ name: "", connection: "", delay: "", params: {}, options: {}, templateId: null, steps: [] });

/** A step that does what an action does. */
export function newStep(action: string, used: Iterable<string>, given: Partial<StepDraft> = {}): StepDraft {
  return { id: newStepId(), key: given.key ?? freeKey(action, used), action, label: "", enabled: true, params: {}, needs: null, policy: {}, ...given };
}

/** A key made from the action's name that no other step has. */
export function freeKey(action: string, used: Iterable<string>): string {
  const taken = used instanceof Set ? used : new Set(used);
  const last = action.slice(action.lastIndexOf(".") + 1);
  const stem = last.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 60).replace(/^[_-]+/, "") || "step";
  let key = stem;
  for (let number = 2; taken.has(key); number += 1) key = `${stem}_${number}`;
  return key;
}

/** The workflow as it is sent, and which step of the form each of its steps is. Steps that are off are sent so: they are skipped. */
export function workflowOf(draft: Draft): { workflow: JsonObject; stepIds: string[] } {
  const name = draft.name.trim();
  const delay = draft.delay.trim();
  const workflow: JsonObject = {
    ...(name === "" ? {} : { name }),
    ...(draft.connection.trim() === "" ? {} : { ssh: draft.connection.trim() }),
    ...(delay === "" ? {} : { step_delay_s: Number(delay) }),
    ...(isEmpty(draft.params) ? {} : { params: draft.params }),
    ...draft.options,
    steps: draft.steps.map(stepOf),
    ...(draft.templateId === null ? {} : { template_id: draft.templateId }),
  };
  return { workflow, stepIds: draft.steps.map((step) => step.id) };
}

function stepOf(step: StepDraft): JsonObject {
  const params = step.enabled ? step.params : (sendable(step.params) as JsonObject);
  return {
    key: step.key,
    action: step.action,
    ...(step.label.trim() === "" ? {} : { label: step.label.trim() }),
    ...(isEmpty(params) ? {} : { params }),
    ...(step.needs === null ? {} : { needs: step.needs }),
    ...(step.enabled ? {} : { enabled: false }),
    ...step.policy,
  };
}

/** What was typed half is kept as text: of a step that is off nothing is checked. */
function sendable(value: Json): Json {
  if (unparsedText(value) !== null) return jsonText(value);
  if (Array.isArray(value)) return value.map(sendable);
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, sendable(one)]));
  return value;
}

const isEmpty = (value: Json): boolean => isObject(value) && Object.keys(value).length === 0;

/** One step alone: what it needs is not there, and what decides about it in the workflow does not count. */
export function aloneOf(draft: Draft, step: StepDraft): { workflow: JsonObject; stepIds: string[] } {
  const { when: _when, delay_s: _delay, on_failure: _failure, ...policy } = step.policy;
  const only = { ...step, enabled: true, needs: null, policy };
  return workflowOf({ ...draft, name: step.label.trim() || step.key, delay: "", steps: [only] });
}

/** A template as it is kept: without a host, and without what another template it came from was called. */
export function templateOf(draft: Draft): JsonObject {
  const { ssh: _ssh, template_id: _from, ...kept } = workflowOf(draft).workflow;
  return kept;
}

/** The draft for a workflow that somebody wrote or a template keeps. Lenient: what is wrong shows in the form. */
export function draftOf(workflow: JsonObject, given: Partial<Draft> = {}): Draft {
  const { name, ssh, ssh_connection, step_delay_s, step_delay, params, steps, template_id, workflow_id: _id, ...options } = workflow;
  const list = Array.isArray(steps) ? steps.filter(isObject) : [];
  const used = new Set(list.map((step) => step.key).filter((key) => typeof key === "string"));
  const delay = step_delay_s ?? step_delay;
  return {
    name: textOf(name),
    connection: connectionOf(ssh ?? ssh_connection),
    delay: typeof delay === "number" || typeof delay === "string" ? String(delay) : "",
    params: params ?? {},
    options,
    templateId: typeof template_id === "string" ? template_id : null,
    steps: list.map((step) => {
      const read = stepDraftOf(step, used);
      used.add(read.key);
      return read;
    }),
    ...given,
  };
}

function stepDraftOf(step: JsonObject, used: ReadonlySet<string>): StepDraft {
  const action = textOf(step.action);
  const policy: JsonObject = {};
  for (const field of POLICY_FIELDS) if (step[field] !== undefined && step[field] !== null) policy[field] = step[field];
  return newStep(action, used, {
    ...(typeof step.key === "string" ? { key: step.key } : {}),
    label: textOf(step.label),
    enabled: step.enabled !== false,
    params: isObject(step.params) ? step.params : {},
    needs: Array.isArray(step.needs) ? step.needs.map(textOf) : null,
    policy,
  });
}

function connectionOf(ssh: Json | undefined): string {
  if (typeof ssh === "string") return ssh;
  if (!isObject(ssh)) return "";
  const { host, user, port, key } = ssh;
  return `ssh -p ${textOf(port ?? 22)}${key ? ` -i ${textOf(key)}` : ""} ${textOf(user ?? "root")}@${textOf(host)}`;
}

const textOf = (value: Json | undefined): string =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : "";

// Changes. Each gives a new draft and leaves what did not change as it was, so that rows which did not change are not drawn again.

export const withStep = (draft: Draft, id: string, change: Partial<StepDraft>): Draft => ({
  ...draft,
  steps: draft.steps.map((step) => (step.id === id ? { ...step, ...change } : step)),
});

/** Rename a step; who needs it, or falls back to it, follows. */
export function withKey(draft: Draft, id: string, key: string): Draft {
  const old = draft.steps.find((step) => step.id === id)?.key;
  // While two have the same key nobody knows which of them is meant.
  const shared = draft.steps.filter((step) => step.key === old).length > 1;
  const follow = (step: StepDraft): StepDraft => {
    if (old === undefined || shared || old === "") return step;
    const needs = step.needs?.includes(old) ? step.needs.map((need) => (need === old ? key : need)) : step.needs;
    const policy = fallbackOf(step) === old ? { ...step.policy, on_failure: { fallback: { step: key } } } : step.policy;
    return needs === step.needs && policy === step.policy ? step : { ...step, needs, policy };
  };
  return { ...draft, steps: draft.steps.map((step) => (step.id === id ? { ...step, key } : follow(step))) };
}

/** The step that stands in for one that fails. */
export function fallbackOf(step: StepDraft): string | null {
  const failure = step.policy.on_failure;
  const fallback = isObject(failure) ? failure.fallback : null;
  return isObject(fallback) && typeof fallback.step === "string" ? fallback.step : null;
}

/** Without a step; nobody needs it any more. */
export function withoutStep(draft: Draft, id: string): Draft {
  const gone = draft.steps.find((step) => step.id === id);
  const rest = draft.steps.filter((step) => step.id !== id);
  if (gone === undefined || rest.some((step) => step.key === gone.key)) return { ...draft, steps: rest };
  return {
    ...draft,
    steps: rest.map((step) =>
      step.needs?.includes(gone.key)
        ? // What came before it comes before those that waited for it.
          { ...step, needs: [...new Set([...step.needs.filter((need) => need !== gone.key), ...(gone.needs ?? [])])] }
        : step,
    ),
  };
}

/** With a copy of a step behind it. */
export function withCopy(draft: Draft, id: string): Draft {
  const at = draft.steps.findIndex((step) => step.id === id);
  const step = draft.steps[at];
  if (step === undefined) return draft;
  const copy = { ...step, id: newStepId(), key: freeKey(step.key, draft.steps.map((one) => one.key)) };
  return { ...draft, steps: draft.steps.toSpliced(at + 1, 0, copy) };
}

/** Whether each step says itself what it needs. */
export const isGraph = (draft: Draft): boolean => draft.steps.some((step) => step.needs !== null);

/** From a plain list to a graph of the same order, or back to the order of the list. */
export function asGraph(draft: Draft, graph: boolean): Draft {
  return {
    ...draft,
    steps: draft.steps.map((step, index) => ({ ...step, needs: graph ? (step.needs ?? draft.steps.slice(Math.max(0, index - 1), index).map((one) => one.key)) : null })),
  };
}
