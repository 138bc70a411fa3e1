import { useEffect, useState } from "preact/hooks";

import { Problem } from "../api/client";
import type { Json, JsonObject } from "../api/types";
import { counted } from "../format/counts";
import { bindKeys } from "../keys";
import { me, whyNotOperator } from "../session";
import { ActionPicker } from "./ActionPicker";
import { showRun } from "./begun";
import { actions } from "./catalogue";
import { ConnectionField } from "./ConnectionField";
import { asGraph, emptyDraft, isGraph, newStep, workflowOf } from "./draft";
import { replaceDraft } from "./drafts";
import { Form } from "./form/context";
import { JsonInput } from "./form/JsonInput";
import { faultsWithin } from "./form/pointer";
import { SchemaForm } from "./form/SchemaForm";
import { PanelTools } from "./PanelTools";
import { PasteWorkflow } from "./PasteWorkflow";
import { OPTIONS_SCHEMA } from "./policySchema";
import { Replaced } from "./Replaced";
import { SaveTemplate } from "./SaveTemplate";
import { StartPanel } from "./StartPanel";
import { StepList } from "./StepList";
import { paramsRead } from "./summary";
import { addressOf, readTarget } from "./target";
import { useEditor } from "./useEditor";
import { useLaunch } from "./useLaunch";
import { useRecentHosts } from "./useRecentHosts";

const NAME = "build";

/** Build a workflow from the actions of the server. */
export function BuildPage() {
  const recent = useRecentHosts();
  const editor = useEditor(NAME, emptyDraft);
  const { draft, change, faults } = editor;
  const [dialog, setDialog] = useState<"add" | "paste" | "save" | null>(null);
  const { phase, launch, forget } = useLaunch(NAME);
  const graph = isGraph(draft);
  const needsHost = draft.steps.some((step) => step.enabled && editor.known.actions.get(step.action)?.needs_host);
  const read = readTarget(draft.connection.trim());
  const why = me.value === null ? null : whyNotOperator.value;
  const on = draft.steps.filter((step) => step.enabled).length;
  useEffect(() => bindKeys([{ keys: "a", label: "Add a step", group: "Start", act: () => setDialog("add") }]), []);

  async function start(): Promise<void> {
    if (!editor.ready()) return;
    const { workflow, stepIds } = workflowOf(draft);
    const answer = await launch(workflow, "all");
    if (answer instanceof Problem) editor.refused(answer, draft, stepIds);
    else if (answer !== null) showRun(answer);
  }
  const add = (action: string) =>
    change((now) => {
      const step = newStep(action, now.steps.map((one) => one.key), isGraph(now) ? { needs: now.steps.slice(-1).map((one) => one.key) } : {});
      editor.setOpen(step.id, true);
      return { ...now, steps: [...now.steps, step] };
    });

  return (
    <div class="start-columns">
      <div class="start-form">
        <section class="card start-card" aria-label="The workflow">
          <Replaced name={NAME} undone={forget} />
          {draft.templateId !== null && (
            <p class="start-from small">Template <b class="mono">{draft.templateId}</b>. Changes are kept there only when you save it. <button type="button" class="start-link" onClick={() => change((now) => ({ ...now, templateId: null }))}>Detach</button></p>
          )}
          <div class="field" data-place="/name">
            <label for="start-name">Name</label>
            <input id="start-name" type="text" value={draft.name} placeholder="workflow" aria-invalid={faults["/name"] !== undefined || undefined} onInput={(event) => { const name = event.currentTarget.value; change((now) => ({ ...now, name })); }} />
            {faults["/name"] !== undefined && <p class="fault">{faults["/name"]}</p>}
          </div>
          {(needsHost || draft.connection !== "") && (
            <ConnectionField value={draft.connection} onChange={(connection) => change((now) => ({ ...now, connection }))} fault={faults["/connection"]} showAll={editor.tried} recent={recent} required={needsHost} />
          )}
          <details class="start-policy" open={editor.tried && ["/step_delay_s", "/params", "/priority", "/kind", "/max_steps", "/concurrency_key"].some((place) => faults[place] !== undefined) ? true : undefined}>
            <summary>Parameters, pace and priority{settingsCount(draft.params, draft.options, draft.delay) > 0 && <span class="tag">{settingsCount(draft.params, draft.options, draft.delay)} set</span>}</summary>
            <div class="stack">
              <RunParams value={draft.params} fault={editor.tried ? Object.values(faultsWithin(faults, "/params"))[0] : undefined} read={[...paramsRead(draft.steps.map((step) => [step.params, step.policy.when ?? null]))]} onChange={(params) => change((now) => ({ ...now, params }))} />
              <div class="field" data-place="/step_delay_s">
                <label for="start-delay">Wait between steps</label>
                <span class="start-unit"><input id="start-delay" type="text" inputMode="decimal" value={draft.delay} placeholder="0" aria-invalid={faults["/step_delay_s"] !== undefined || undefined} onInput={(event) => { const delay = event.currentTarget.value; change((now) => ({ ...now, delay })); }} /><span class="muted small">seconds</span></span>
                {faults["/step_delay_s"] !== undefined && <p class="fault">{faults["/step_delay_s"]}</p>}
              </div>
              <SchemaForm schema={OPTIONS_SCHEMA} value={draft.options} faults={faults} references={false} showAll={editor.tried} onChange={(options) => change((now) => ({ ...now, options }))} />
              <label class="start-lift small"><input type="checkbox" checked={draft.options.concurrency_key === null} onChange={(event) => { const lift = event.currentTarget.checked; change((now) => { const { concurrency_key: _key, ...rest } = now.options; return { ...now, options: lift ? { ...rest, concurrency_key: null } : rest }; }); }} /> Begin even if another run is at work on the same host</label>
            </div>
          </details>
        </section>
        <section aria-labelledby="start-steps-title">
          <div class="start-steps-head">
            <h2 id="start-steps-title">Steps</h2>
            <span class="start-gap" />
            {draft.steps.length > 1 && (
              <label class="start-order small">
                <span class="muted">Order</span>
                <select value={graph ? "graph" : "list"} onChange={(event) => { const next = event.currentTarget.value === "graph"; change((now) => asGraph(now, next)); }}>
                  <option value="list">one after the other</option>
                  <option value="graph">by what each needs</option>
                </select>
              </label>
            )}
            <button type="button" class="button plain" onClick={() => setDialog("paste")}>Paste YAML or JSON</button>
          </div>
          {faults["/steps"] !== undefined && editor.tried && <p class="fault small" role="alert">{faults["/steps"]}</p>}
          <StepList editor={editor} held={false} whole />
          {draft.steps.length === 0 && <p class="start-empty muted">No steps yet. Each step runs an action; without more it begins when the one before it is done.</p>}
          <button type="button" class="button start-add" data-place="/steps/add" onClick={() => setDialog("add")}>Add a step <kbd>a</kbd></button>
        </section>
      </div>
      <StartPanel
        editor={editor} phase={phase} start={() => void start()} label="Start"
        summary={
          <>
            <p class="start-panel-name">{draft.name || "workflow"}</p>
            <p class="muted small">{counted(on, "step")}{graph ? ", by what each needs" : on > 1 ? ", one after the other" : ""}</p>
            {needsHost && <p class={`start-panel-host mono${"target" in read ? "" : " muted"}`}>{"target" in read ? addressOf(read.target) : "no host yet"}</p>}
          </>
        }
        tools={
          <PanelTools
            workflow={() => workflowOf(draft).workflow} save={() => setDialog("save")} why={why ?? (draft.steps.length === 0 ? "It has no steps." : null)}
            more={[{ label: "Start over", act: () => { replaceDraft(NAME, null); forget(); }, danger: true }]}
          />
        }
      />
      {dialog === "add" && <ActionPicker actions={[...actions.value!.values()]} pick={(action) => add(action.name)} close={() => setDialog(null)} />}
      {dialog === "paste" && <PasteWorkflow replaces={draft.steps.length} put={(next) => { replaceDraft(NAME, next); forget(); }} close={() => setDialog(null)} />}
      {dialog === "save" && <SaveTemplate editor={editor} templateId={draft.templateId} close={() => setDialog(null)} saved={(id) => change((now) => ({ ...now, templateId: id }))} />}
    </div>
  );
}

const settingsCount = (params: Json, options: JsonObject, delay: string): number =>
  Object.keys(options).length + (delay.trim() === "" ? 0 : 1) + (JSON.stringify(params) === "{}" ? 0 : 1);

function RunParams({ value, read, fault, onChange }: { value: Json; read: string[]; fault: string | undefined; onChange: (value: Json) => void }) {
  return (
    <Form.Provider value={{ root: {}, faults: {}, disabled: false, references: false, showAll: true, place: "" }}>
      <div class="field" data-place="/params">
        <label for="start-params">Run parameters</label>
        <JsonInput id="start-params" schema={{ type: "object" }} value={JSON.stringify(value) === "{}" ? undefined : value} at="/params" disabled={false} invalid={fault !== undefined} describedBy="start-params-hint" onChange={(next) => onChange(next ?? {})} />
        <p class={fault === undefined ? "hint" : "fault"} id="start-params-hint">{fault ?? `as JSON; steps read them as {{ params.name }}${read.length > 0 ? `; these steps read ${read.join(", ")}` : ""}`}</p>
      </div>
    </Form.Provider>
  );
}
