// The workflow of a run, wherever it was started, as what is being written on the Start page.
import { get } from "../api/client";
import type { JsonObject } from "../api/types";
import { say } from "../parts/notices";
import { go } from "../router";
import { draftOf, isGraph, type Draft } from "./draft";
import { replaceDraft } from "./drafts";
import { addressOf, readTarget } from "./target";

/** Stands where the server took a secret out. */
const TAKEN_OUT = "[redacted]";

export interface Again {
  /** The form that shows all of it. */
  form: "host" | "build";
  draft: Draft;
  /** Whether something has to be filled in that the server does not tell. */
  secrets: boolean;
}

/** The form for the workflow of a run. What was about that one start is left out. */
export function againOf(workflow: JsonObject): Again {
  const { metadata: _metadata, ...kept } = workflow;
  const draft = draftOf(kept);
  const read = readTarget(draft.connection);
  // The server keeps one run at a time on a host by this key; it would lock the old host after another one is named.
  const { concurrency_key: key, ...rest } = draft.options;
  if ("target" in read && key === addressOf(read.target)) draft.options = rest;
  const secrets = JSON.stringify(workflow).includes(TAKEN_OUT);
  return { form: isProvisioning(draft) ? "host" : "build", draft, secrets };
}

/** Whether the form for hosts, which has a place for the steps' parameters alone, shows all of it. */
function isProvisioning(draft: Draft): boolean {
  return draft.connection !== "" && draft.steps.length > 0 && !isGraph(draft) && Object.keys(draft.options).length === 0
    && JSON.stringify(draft.params) === "{}" && draft.steps.every((step) => step.action.startsWith("ssh.") && Object.keys(step.policy).length === 0);
}

/** Put the workflow of a run into the form, where what stood there is kept to be brought back. Throws what reading it throws. */
export async function asNewStart(runId: string): Promise<void> {
  const { workflow } = await get("/workflow/definition", { query: { workflow_id: runId } });
  const { form, draft, secrets } = againOf(workflow as JsonObject);
  replaceDraft(form, draft);
  go(`/start?mode=${form}`);
  say(secrets ? `Nothing is started yet. Secrets are not told: fill them in where ${TAKEN_OUT} stands.` : "Nothing is started yet: change what you like, then start it.");
}
