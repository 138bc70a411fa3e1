import { useState } from "preact/hooks";

import type { Action, Json, JsonObject } from "../api/types";
import type { StepDraft } from "./draft";
import { faultsWithin, type Faults } from "./form/pointer";
import { SchemaForm } from "./form/SchemaForm";
import { isObject, type Schema } from "./form/schema";
import { JsonInput } from "./form/JsonInput";
import { keysLike, MANY_STEPS } from "./many";
import { POLICY_SCHEMA } from "./policySchema";

const { on_failure: _ownField, ...FIELDS } = POLICY_SCHEMA.properties!;

interface StepPolicyProps {
  step: StepDraft;
  steps: readonly StepDraft[];
  graph: boolean;
  action: Action | undefined;
  faults: Faults;
  disabled: boolean;
  showAll: boolean;
  set: (next: Partial<StepDraft>) => void;
}

/** What the step needs, and how it is run: for those who want more than one step after the other. */
export function StepPolicy({ step, steps, graph, action, faults, disabled, showAll, set }: StepPolicyProps) {
  const setCount = Object.keys(step.policy).length;
  const { on_failure, ...plain } = step.policy;
  const failure = faults["/on_failure"] ?? Object.entries(faultsWithin(faults, "/on_failure"))[0]?.[1];
  return (
    <>
      {graph && <Needs step={step} steps={steps} fault={Object.entries(faultsWithin(faults, "/needs"))[0]?.[1]} disabled={disabled} set={set} />}
      <details class="start-policy" open={showAll && Object.keys(faults).some((place) => !/^\/(params|key|label|action|needs)/.test(place)) ? true : undefined}>
        <summary>When, retry, time limit, locks and limits{setCount > 0 && <span class="tag">{setCount} set</span>}</summary>
        <div class="stack">
          <div class="field" data-place={`/steps/${step.id}/on_failure`}>
            <label for={`${step.id}-failure`}>When it fails for good</label>
            <OnFailure id={`${step.id}-failure`} value={on_failure} others={steps.filter((one) => one.id !== step.id)} disabled={disabled} invalid={failure !== undefined}
              onChange={(next) => set({ policy: next === undefined ? plain : { ...plain, on_failure: next } })} />
            {failure !== undefined && <p class="fault" role="alert">{failure}</p>}
          </div>
          <SchemaForm
            schema={schemaFor(action)} value={plain} faults={faults} disabled={disabled} references={false} showAll={showAll} place={`/steps/${step.id}`}
            onChange={(next) => set({ policy: on_failure === undefined ? next : { ...next, on_failure } })}
          />
        </div>
      </details>
    </>
  );
}

/** The same fields with the action's own values in place of what is unset. */
function schemaFor(action: Action | undefined): Schema {
  if (action === undefined) return { type: "object", properties: FIELDS };
  const retry = FIELDS.retry!;
  const own = action.retry as unknown as JsonObject;
  const properties = Object.fromEntries(Object.entries(retry.properties!).map(([name, schema]) => [name, { ...schema, default: own[name] ?? schema.default! }]));
  return { type: "object", properties: { ...FIELDS, timeout_s: { ...FIELDS.timeout_s!, default: action.timeout_s }, retry: { ...retry, properties } } };
}

function Needs({ step, steps, fault, disabled, set }: { step: StepDraft; steps: readonly StepDraft[]; fault: string | undefined; disabled: boolean; set: StepPolicyProps["set"] }) {
  const needs = step.needs ?? [];
  const known = new Set(steps.map((one) => one.key));
  const others = steps.filter((one) => one.id !== step.id).map((one) => one.key);
  const many = others.length > MANY_STEPS;
  const choices = many ? needs : [...others, ...needs.filter((need) => !known.has(need))];
  return (
    <fieldset class="start-needs" data-place={`/steps/${step.id}/needs`} disabled={disabled}>
      <legend>Begins after</legend>
      {choices.length === 0 && !many && <span class="muted small">There is no other step.</span>}
      {choices.map((key) => (
        <label key={key} class={`start-chip mono${needs.includes(key) ? " start-chip-on" : ""}`}>
          <input type="checkbox" class="sr-only" checked={needs.includes(key)} onChange={(event) => set({ needs: event.currentTarget.checked ? [...needs, key] : needs.filter((need) => need !== key) })} />
          {key}
        </label>
      ))}
      {many && <AddNeed id={`${step.id}-need`} keys={others} chosen={needs} add={(key) => set({ needs: [...needs, key] })} />}
      {fault !== undefined ? <p class="fault" role="alert">{fault}</p> : <p class="hint">{needs.length === 0 ? "Begins at once." : ""}</p>}
    </fieldset>
  );
}

/** Of very many steps one is named, not picked from a wall of them. */
function AddNeed({ id, keys, chosen, add }: { id: string; keys: readonly string[]; chosen: readonly string[]; add: (key: string) => void }) {
  const [text, setText] = useState("");
  const known = keys.includes(text) && !chosen.includes(text);
  const shown = text === "" ? [] : keysLike(keys, text, chosen);
  const take = () => { if (known) { add(text); setText(""); } };
  return (
    <span class="start-unit">
      <input
        type="text" class="mono" value={text} list={`${id}-keys`} placeholder="key of a step" aria-label="Add a step that this one begins after" spellcheck={false} autocomplete="off"
        onInput={(event) => setText(event.currentTarget.value)} onKeyDown={(event) => { if (event.key === "Enter") { event.preventDefault(); take(); } }}
      />
      <datalist id={`${id}-keys`}>{shown.map((key) => <option key={key} value={key} />)}</datalist>
      <button type="button" class="button" disabled={!known} onClick={take}>Add</button>
    </span>
  );
}

function OnFailure({ id, value, others, disabled, invalid, onChange }: {
  id: string; value: Json | undefined; others: readonly StepDraft[]; disabled: boolean; invalid: boolean; onChange: (value: Json | undefined) => void;
}) {
  const given = isObject(value) ? value.fallback : undefined;
  const fallback = isObject(given) ? given : null;
  const kind = given === undefined ? (value === "continue" ? "continue" : "fail") : fallback === null ? "other" : "step" in fallback ? "step" : "value" in fallback ? "value" : "other";
  return (
    <div class="start-failure">
      <select
        id={id} disabled={disabled} value={kind} aria-invalid={invalid || undefined}
        onChange={(event) => {
          const next = event.currentTarget.value;
          onChange(next === "fail" ? undefined : next === "continue" ? "continue" : next === "step" ? { fallback: { step: others[0]?.key ?? "" } } : { fallback: next === "value" ? { value: null } : [{ cached: true }, { value: null }] });
        }}
      >
        <option value="fail">The run fails</option>
        <option value="continue">The run goes on without it</option>
        <option value="step" disabled={others.length === 0}>Another step stands in for it</option>
        <option value="value">A fixed result stands in for it</option>
        <option value="other">One thing after the other stands in, as JSON</option>
      </select>
      {kind === "step" && (
        <select aria-label="The step that stands in" disabled={disabled} value={String(fallback!.step)} onChange={(event) => onChange({ fallback: { step: event.currentTarget.value } })}>
          {!others.some((one) => one.key === fallback!.step) && <option value={String(fallback!.step)}>{String(fallback!.step) || "—"}</option>}
          {others.map((one) => <option key={one.id} value={one.key}>{one.key}</option>)}
        </select>
      )}
      {kind === "other" && (
        <JsonInput id={`${id}-other`} schema={{}} value={given} at="" disabled={disabled} invalid={invalid} describedBy={undefined} onChange={(next) => onChange({ fallback: next ?? null })} />
      )}
      {kind === "value" && (
        <JsonInput id={`${id}-value`} schema={{}} value={fallback!.value} at="" disabled={disabled} invalid={invalid} describedBy={undefined} onChange={(next) => onChange({ fallback: { value: next ?? null } })} />
      )}
    </div>
  );
}
