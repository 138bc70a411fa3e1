import { useId, useState } from "preact/hooks";

import { call, get } from "../../api/client";
import type { JsonObject } from "../../api/types";
import { say } from "../../parts/notices";
import { whyNotOperator } from "../../session";
import { send } from "./asking";
import { Confirm } from "./Confirm";
import type { DialogProps } from "./ControlDialog";
import { runReason } from "./possible";

const ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** Keeps the workflow of this run under a name, to be started again from the start page. */
export default function TemplateForm({ feed, state, asked, close }: DialogProps) {
  const [name, setName] = useState(state.name);
  const [templateId, setTemplateId] = useState(() => idFrom(state.name));
  const [chosen, setChosen] = useState(false);
  const id = useId();
  const fault = ID.test(templateId) ? null : "Letters, digits and . _ : -, beginning with a letter or digit.";
  const reason = runReason("template", state, whyNotOperator.value) ?? (name.trim() === "" ? "Give it a name." : fault && "The id is not right yet.");
  const keep = async () => {
    const { workflow } = await get("/workflow/definition", { query: { workflow_id: feed.runId } });
    const body = { ...templateOf(workflow as JsonObject), name: name.trim() } as { name: string; steps: JsonObject[] };
    return call("put", "/workflow/templates/{template_id}", { path: { template_id: templateId }, body });
  };
  return (
    <Confirm
      title="Save as template" words={["The steps and parameters are kept, without the host. A template of the same id is replaced."]} confirm="Save" reason={reason}
      send={() => send(feed, asked, "save the template", keep)} done={() => say(`Saved as template ${templateId}.`, "said", { label: "Start it", href: `/start?template=${encodeURIComponent(templateId)}` })} close={close}
    >
      <div class="field">
        <label for={`${id}-name`}>Name</label>
        <input
          id={`${id}-name`} type="text" value={name} maxLength={200} autofocus
          onInput={(event) => { setName(event.currentTarget.value); if (!chosen) setTemplateId(idFrom(event.currentTarget.value)); }}
        />
      </div>
      <div class="field">
        <label for={`${id}-id`}>Id</label>
        <input
          id={`${id}-id`} type="text" class="mono" value={templateId} maxLength={128} spellcheck={false} aria-invalid={fault !== null} aria-describedby={fault ? `${id}-fault` : undefined}
          onInput={(event) => { setTemplateId(event.currentTarget.value); setChosen(true); }}
        />
        {fault && <p class="fault" id={`${id}-fault`}>{fault}</p>}
      </div>
    </Confirm>
  );
}

/** `Nightly scan (EU)` as `nightly-scan-eu`. */
export function idFrom(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 64);
}

/** What of a run's workflow belongs to every run of it: not its host, and not what was about this one start. */
export function templateOf(workflow: JsonObject): JsonObject {
  const { ssh: _host, concurrency_key: _key, metadata: _metadata, template_id: _template, ...kept } = workflow;
  return kept;
}
