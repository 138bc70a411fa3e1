import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";

import { Problem } from "../api/client";
import type { JsonObject, Template } from "../api/types";
import { counted } from "../format/counts";
import { ago, exactTime } from "../format/times";
import { now } from "../now";
import { Failed } from "../parts/Failed";
import { VirtualList } from "../parts/VirtualList";
import { go } from "../router";
import { showRun } from "./begun";
import { readTemplate } from "./catalogue";
import { ConnectionField } from "./ConnectionField";
import { CopyMenu } from "./CopyMenu";
import { draftOf, type Draft, type StepDraft } from "./draft";
import { draftNamed, keepDraft, replaceDraft } from "./drafts";
import { faultsWithin } from "./form/pointer";
import { Marked } from "./form/Marked";
import { SchemaForm } from "./form/SchemaForm";
import { isObject } from "./form/schema";
import { MANY_STEPS } from "./many";
import { StartPanel } from "./StartPanel";
import { paramsRead, paramsSchema, stepSummary } from "./summary";
import { addressOf, readTarget } from "./target";
import { useEditor } from "./useEditor";
import { useLaunch } from "./useLaunch";
import { useRecentHosts } from "./useRecentHosts";

/** Of a step that is one line and the one below it. */
const STEP_HEIGHT = 49;

/** Start a template: its steps as they are, its host and parameters as they are wanted this time. */
export function TemplatePage({ templateId }: { templateId: string }) {
  const [read, setRead] = useState<{ template: Template } | { error: unknown } | null>(null);
  const [tries, setTries] = useState(0);
  useEffect(() => {
    let wanted = true;
    readTemplate(templateId).then(
      (template) => wanted && setRead({ template }),
      (error: unknown) => wanted && setRead({ error }),
    );
    return () => { wanted = false; };
  }, [templateId, tries]);
  if (read === null) return <div class="start-waiting" aria-busy="true"><span class="skeleton" /><span class="skeleton" /><span class="skeleton" /></div>;
  if ("error" in read) {
    return (
      <div class="stack">
        <Failed error={read.error} retry={() => { setRead(null); setTries(tries + 1); }} />
        <p><a class="link" href="/start?mode=template">See all templates</a></p>
      </div>
    );
  }
  return <TemplateForm key={templateId} template={read.template} />;
}

function TemplateForm({ template }: { template: Template }) {
  const recent = useRecentHosts();
  const workflow = template.workflow as JsonObject;
  const name = `template.${template.template_id}`;
  const fresh = useMemo(() => draftOf(workflow, { name: template.name, templateId: template.template_id, params: {} }), [template]);
  useMemo(() => {
    // The template may have been changed since the draft was kept: what was typed stays, its steps are those of now.
    const kept = draftNamed(name).peek();
    if (kept !== null) keepDraft(name, { ...fresh, connection: kept.connection, params: kept.params });
  }, [fresh]);
  const editor = useEditor(name, () => fresh);
  const { draft, change, faults } = editor;
  const { phase, launch } = useLaunch(name);
  const given = useMemo(() => (isObject(workflow.params) ? workflow.params : {}), [workflow]);
  const schema = useMemo(() => paramsSchema(paramsRead(workflow.steps), given), [workflow, given]);
  const params = isObject(draft.params) ? draft.params : {};
  const needsHost = draft.steps.some((step) => step.enabled && editor.known.actions.get(step.action)?.needs_host);
  const target = readTarget(draft.connection.trim());
  const on = draft.steps.filter((step) => step.enabled).length;
  const body = bodyOf(draft, given, params);

  async function start(): Promise<void> {
    if (!editor.ready()) return;
    const answer = await launch(body, "all");
    if (answer instanceof Problem) editor.refused(answer, draft, draft.steps.map((step) => step.id));
    else if (answer !== null) showRun(answer);
  }
  return (
    <div class="start-columns">
      <div class="start-form">
        <section class="card start-card" aria-label="Template">
          <div class="start-template-head">
            <div>
              <h2>{template.name}</h2>
              <p class="muted small"><span class="mono">{template.template_id}</span> · changed <span title={exactTime(template.updated_at)}>{ago(template.updated_at, now.value)}</span> by {template.updated_by}</p>
            </div>
            <span class="start-gap" />
            <a class="button" href="/start?mode=template">Choose another</a>
            <button type="button" class="button" onClick={() => { replaceDraft("build", { ...draftOf(workflow, { name: template.name, templateId: template.template_id }), connection: draft.connection }); go("/start?mode=build"); }}>Edit</button>
          </div>
          {needsHost && <ConnectionField value={draft.connection} onChange={(connection) => change((now) => ({ ...now, connection }))} fault={faults["/connection"]} showAll={editor.tried} recent={recent} required />}
          <fieldset class="start-params" data-place="/params">
            <legend>Run parameters</legend>
            <SchemaForm schema={schema} value={params} onChange={(params) => change((now) => ({ ...now, params }))} faults={faultsWithin(faults, "/params")} references={false} showAll={editor.tried} place="/params" />
          </fieldset>
        </section>
        <section aria-labelledby="start-steps-title">
          <div class="start-steps-head"><h2 id="start-steps-title">Steps</h2><span class="muted small">{on === draft.steps.length ? on : `${on} of ${draft.steps.length} switched on`}</span></div>
          <PlainSteps steps={draft.steps}>
            {(step, index, Row) => {
              const wrong = Object.values(faultsWithin(faults, `/steps/${step.id}`))[0];
              return (
                <Row key={step.id} class={`start-step start-step-plain${step.enabled ? "" : " start-step-off"}`} data-place={`/steps/${step.id}`}>
                  <span class="start-step-number">{index + 1}</span>
                  <span class="start-step-text">
                    <span class="start-step-title">{step.label || step.key}{!step.enabled && <span class="muted"> (switched off)</span>}</span>
                    {wrong !== undefined && editor.tried ? <span class="start-step-line-two tone-red">{wrong}</span> : <span class="start-step-line-two truncate">{step.needs === null ? "" : step.needs.length === 0 ? "at once · " : `after ${step.needs.join(", ")} · `}{stepSummary(step) ?? <Marked text={editor.known.actions.get(step.action)?.summary ?? step.key} />}</span>}
                  </span>
                  <code class="start-step-action truncate">{step.action}</code>
                </Row>
              );
            }}
          </PlainSteps>
        </section>
      </div>
      <StartPanel
        editor={editor} phase={phase} start={() => void start()} label="Start"
        summary={
          <>
            <p class="start-panel-name">{template.name}</p>
            <p class="muted small">{counted(on, "step")}</p>
            {needsHost && <p class={`start-panel-host mono${"target" in target ? "" : " muted"}`}>{"target" in target ? addressOf(target.target) : "no host yet"}</p>}
          </>
        }
        tools={<CopyMenu workflow={() => body} />}
      />
    </div>
  );
}

/** Steps that are not changed here. Of many only those in view are drawn. */
function PlainSteps({ steps, children }: { steps: readonly StepDraft[]; children: (step: StepDraft, index: number, Row: "li" | "div") => ComponentChildren }) {
  return (
    <div data-place="/steps">
      {steps.length > MANY_STEPS
        ? <VirtualList class="start-steps start-steps-many" label="Steps" items={steps} rowHeight={STEP_HEIGHT} measured scroller="outer" keyOf={(step) => step.id} row={(step, index) => children(step, index, "div")} />
        : <ol class="start-steps">{steps.map((step, index) => children(step, index, "li"))}</ol>}
    </div>
  );
}

/** The template by its id; parameters replace the template's as a whole, so those that were left alone go with them. */
function bodyOf(draft: Draft, given: JsonObject, params: JsonObject): JsonObject {
  return {
    template_id: draft.templateId!,
    ...(draft.connection.trim() === "" ? {} : { ssh: draft.connection.trim() }),
    ...(Object.keys(params).length === 0 ? {} : { params: { ...given, ...params } }),
  };
}
