import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { get, Problem } from "../api/client";
import type { State } from "../api/types";
import { countedOf } from "../format/counts";
import { duration } from "../format/durations";
import { messageOf } from "../parts/Failed";
import { say } from "../parts/notices";
import { StatusMark } from "../parts/StatusMark";
import { go, paths, setQuery } from "../router";
import { config, me, whyNotOperator } from "../session";
import { shownRunStatus } from "../theme/statuses";
import { showRun, tellStarted } from "./begun";
import { actions, readTemplate, templates } from "./catalogue";
import { faultsOf } from "./check";
import { chooser } from "./choosing";
import { ConnectionField } from "./ConnectionField";
import { aloneOf, workflowOf, type Draft, type StepDraft } from "./draft";
import { draftNamed, replaceDraft } from "./drafts";
import { HostRunStrip } from "./HostRunStrip";
import { PanelTools } from "./PanelTools";
import { provisioningDraft, restored } from "./provisioning";
import { Replaced } from "./Replaced";
import { SaveTemplate } from "./SaveTemplate";
import { StartPanel } from "./StartPanel";
import { StepList } from "./StepList";
import { runLabel } from "./summary";
import { addressOf, readTarget } from "./target";
import { firstPlace, useEditor } from "./useEditor";
import { useHostRun } from "./useHostRun";
import { useLaunch } from "./useLaunch";
import { useRecentHosts } from "./useRecentHosts";

const NAME = "host";
const USUAL_DELAY_S = 5;

/** Provision a host: the connection, the usual steps or those of a template, and one button. */
export function HostPage({ templateId }: { templateId: string | null }) {
  const recent = useRecentHosts();
  const current = useCurrentRun();
  const delay = String(config.value?.workflow_step_delay ?? USUAL_DELAY_S);
  const editor = useEditor(
    NAME,
    () => restored(provisioningDraft([...actions.value!.values()], delay), current, recent[0]),
    [actions.value, delay, current, recent],
  );
  const { draft, change, faults } = editor;
  const [saving, setSaving] = useState(false);
  const { phase, launch, forget } = useLaunch(NAME);

  const read = readTarget(draft.connection.trim());
  const address = "target" in read ? addressOf(read.target) : null;
  const host = useHostRun(address);
  const held = host.active !== null;
  const on = draft.steps.filter((step) => step.enabled).length;

  const [choosing, setChoosing] = useState<string | null>(null);
  const chosen = choosing ?? draft.templateId;
  const shown = useRef(draft);
  shown.current = draft;
  const choice = useMemo(() => chooser(readTemplate), []);
  useEffect(() => choice.drop, []);
  /** Whatever is done with the whole form: a template that is still being read is not wanted any more. */
  const settled = () => { choice.drop(); setChoosing(null); forget(); };
  const put = (next: Draft | null) => { settled(); replaceDraft(NAME, next); };
  async function useTemplate(id: string): Promise<void> {
    if (id === "") return put({ ...provisioningDraft([...actions.value!.values()], delay), connection: draft.connection });
    setChoosing(id);
    try {
      // By the time it is read more may have been typed.
      const next = await choice.choose(id, () => draftNamed(NAME).peek() ?? shown.current);
      if (next !== null) put(next);
    } catch (error) {
      setChoosing(null);
      say(messageOf(error), "failed");
    }
  }
  useEffect(() => {
    // A link that names a template: once, so that a reload keeps what was changed since.
    if (templateId !== null && draftNamed(NAME).peek()?.templateId !== templateId) void useTemplate(templateId);
    if (templateId !== null) setQuery({ template: null });
  }, [templateId]);

  async function start(): Promise<void> {
    // What is started is what is shown: a template that comes later does not replace it.
    choice.drop();
    setChoosing(null);
    if (!editor.ready()) return;
    const { workflow, stepIds } = workflowOf(draft);
    const answer = await launch(workflow, "all");
    if (answer instanceof Problem) editor.refused(answer, draft, stepIds);
    else if (answer !== null) showRun(answer);
  }
  async function runAlone(step: StepDraft): Promise<void> {
    const only = { ...draft, steps: [{ ...step, enabled: true, needs: null }] };
    const place = firstPlace(faultsOf(only, editor.known), only);
    if (place !== null) {
      // What is wrong with a step that is off shows once it is on.
      if (!step.enabled) change((now) => ({ ...now, steps: now.steps.map((one) => (one.id === step.id ? { ...one, enabled: true } : one)) }));
      editor.ready();
      return editor.reveal(place);
    }
    const { workflow, stepIds } = aloneOf(draft, step);
    const answer = await launch(workflow, step.id);
    if (answer instanceof Problem) editor.refused(answer, draft, stepIds);
    else if (answer !== null) {
      tellStarted(answer, true);
      host.watch(answer.workflow_id);
    }
  }
  const why = me.value === null ? null : whyNotOperator.value;

  return (
    <div class="start-columns">
      <div class="start-form">
        <section class="card start-card" aria-label="Host">
          <ConnectionField
            value={draft.connection} onChange={(connection) => change((now) => ({ ...now, connection }))} fault={faults["/connection"]} showAll={editor.tried} recent={recent} required
          />
          <div class="start-pair">
            <div class="field">
              <label for="start-template">Template</label>
              <select id="start-template" value={chosen ?? ""} disabled={held} aria-busy={choosing !== null} onChange={(event) => void useTemplate(event.currentTarget.value)}>
                <option value="">The usual steps</option>
                {chosen !== null && !templates.value?.some((one) => one.template_id === chosen) && <option value={chosen}>{chosen}</option>}
                {templates.value?.map((one) => <option key={one.template_id} value={one.template_id}>{one.name === one.template_id ? one.name : `${one.name} (${one.template_id})`}</option>)}
              </select>
            </div>
            <div class="field start-delay" data-place="/step_delay_s">
              <label for="start-delay">Wait between steps</label>
              <span class="start-unit"><input id="start-delay" type="text" inputMode="decimal" value={draft.delay} placeholder="0" disabled={held} aria-invalid={faults["/step_delay_s"] !== undefined || undefined} onInput={(event) => { const delay = event.currentTarget.value; change((now) => ({ ...now, delay })); }} /><span class="muted small">seconds</span></span>
              {faults["/step_delay_s"] !== undefined && <p class="fault">{faults["/step_delay_s"]}</p>}
            </div>
          </div>
          <Replaced name={NAME} undone={settled} />
        </section>
        <section aria-labelledby="start-steps-title">
          <div class="start-steps-head">
            <h2 id="start-steps-title">Steps</h2>
            <span class="muted small">{on} of {draft.steps.length} switched on</span>
            <span class="start-gap" />
            <button type="button" class="button plain" disabled={held} onClick={() => { const all = on < draft.steps.length; change((now) => ({ ...now, steps: now.steps.map((step) => ({ ...step, enabled: all })) })); }}>
              {on < draft.steps.length ? "Switch all on" : "Switch all off"}
            </button>
          </div>
          {faults["/steps"] !== undefined && editor.tried && <p class="fault small" role="alert">{faults["/steps"]}</p>}
          <StepList
            editor={editor} held={held} whole={false} stateOf={host.stepOf}
            runAlone={{ act: (step) => void runAlone(step), busy: phase.kind === "sending" ? phase.what : null, reason: why ?? (held ? "A run is at work on this host." : null) }}
          />
        </section>
      </div>
      <StartPanel
        editor={editor} phase={phase} start={() => void start()} label={runLabel(on, draft.steps.length)}
        instead={host.active === null ? undefined : <HostRunStrip run={host.active} refresh={host.refresh} />}
        before={host.state !== null && !host.state.active ? <Ended state={host.state} /> : undefined}
        summary={
          <>
            <p class={`start-panel-host mono${address === null ? " muted" : ""}`}>{address ?? "no host yet"}</p>
            <p class="muted small">{countedOf(on, draft.steps.length, "step")}{Number(draft.delay) > 0 ? `, ${draft.delay} s between them` : ""}</p>
          </>
        }
        tools={
          <PanelTools
            workflow={() => workflowOf(draft).workflow} save={() => setSaving(true)} why={why}
            more={[
              { label: "Edit as a workflow", act: () => { replaceDraft("build", draft); go("/start?mode=build"); } },
              { label: "Start over", act: () => put(null), danger: true },
            ]}
          />
        }
      />
      {saving && <SaveTemplate editor={editor} templateId={draft.templateId} close={() => setSaving(false)} saved={(id) => change((now) => ({ ...now, templateId: id }))} />}
    </div>
  );
}

/** How the run that was at work here ended. */
function Ended({ state }: { state: State }) {
  const took = state.end_time ? ` in ${duration(new Date(state.end_time).getTime() - new Date(state.start_time).getTime())}` : "";
  const said = { completed: `All done${took}.`, cancelled: "The run was stopped.", failed: "The run failed." }[state.status as string] ?? "The run ended.";
  return (
    <p class="start-ended">
      <StatusMark status={shownRunStatus(state)} />
      {said} <a class="link" href={paths.run(state.workflow_id)}>Open the run</a>
    </p>
  );
}

/** The caller's current run when the page was opened; null when there is none, or nobody knows. */
function useCurrentRun(): State | null {
  const [state, setState] = useState<State | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    get("/workflow/state", { signal: abort.signal }).then((answer) => setState(answer.state), () => undefined);
    return () => abort.abort();
  }, []);
  return state;
}
