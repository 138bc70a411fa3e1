import { useState } from "preact/hooks";

import { post } from "../../api/client";
import type { JsonObject, State, WholeStep } from "../../api/types";
import { referencedSteps } from "../../start/form/references";
import type { Schema } from "../../start/form/schema";
import { same } from "../../start/form/schema";
import { whyNotOperator } from "../../session";
import { titleOf } from "../steps/secondLine";
import { sendNew } from "./asking";
import { Confirm } from "./Confirm";
import { goToNew, type DialogProps } from "./ControlDialog";
import { faultsOf, ParamsForm } from "./ParamsForm";
import { stepReason } from "./possible";
import { type Read, WithStep } from "./WholeStep";
import { forkWords } from "./words";

/** A new run from a step on, or of the step alone, with its parameters as they were or changed. */
export default function ForkForm(props: DialogProps) {
  const alone = props.asked.control === "alone";
  const title = `${alone ? "Run alone" : "Fork from"}: ${props.step ? titleOf(props.step) : props.asked.step}`;
  return (
    <WithStep title={title} runId={props.feed.runId} stepKey={props.asked.step!} close={props.close}>
      {(read) => <Form {...props} title={title} alone={alone} read={read} />}
    </WithStep>
  );
}

function Form({ feed, state, asked, close, title, alone, read }: DialogProps & { title: string; alone: boolean; read: Read }) {
  const before = read.step.params as JsonObject;
  const [params, setParams] = useState(before);
  const [refused, setRefused] = useState<{ where: string; message: string } | null>(null);
  const schema = (read.action?.parameters as Schema | undefined) ?? null;
  const faults = faultsOf(schema, params, !alone);
  const reads = alone ? [...referencedSteps(params)] : [];
  const reason = stepReason(alone ? "alone" : "fork", read.step, state, whyNotOperator.value)
    ?? (Object.keys(faults).length > 0 ? "Some parameters are not right yet." : null)
    ?? (reads.length > 0 ? `It reads results of ${reads.join(", ")}: write values in their place.` : null);
  const submit = async () => {
    setRefused(null);
    const sent = await sendNew(feed, asked, alone ? "start" : "fork", (newId) =>
      alone ? post("/workflow/start", { body: { ...aloneBody(state, read.step, params), workflow_id: newId } })
        : post("/workflow/fork", { body: { workflow_id: feed.runId, new_workflow_id: newId, step: read.step.key, ...(same(params, before) ? {} : { params }) } }));
    if ("problem" in sent) {
      const within = /\/params(\/.*)?$/.exec(sent.where ?? "");
      if (within) setRefused({ where: within[1] ?? "", message: sent.problem });
    }
    return sent;
  };
  return (
    <Confirm
      title={title} words={alone ? aloneWords(state) : forkWords(state, read.step.key)} confirm={alone ? "Run it" : "Fork"} reason={reason} wide
      send={submit} done={goToNew} close={close}
    >
      <fieldset class="control-params">
        <legend>Parameters of this step</legend>
        <ParamsForm schema={schema} value={params} onChange={(next) => { setParams(next); setRefused(null); }} refused={refused} references={!alone} />
      </fieldset>
    </Confirm>
  );
}

function aloneWords(state: State): string[] {
  const host = state.ssh ? ` on ${state.ssh.user}@${state.ssh.host}:${state.ssh.port}` : "";
  return [`A new run of this one step begins${host}. Nothing else runs, and this run stays as it is.`];
}

/** The start of a run of one step (R360). */
export function aloneBody(state: State, step: WholeStep, params: JsonObject) {
  return {
    name: `${titleOf(step)} alone`,
    steps: [{ key: step.key, action: step.action, label: step.label, params }],
    ...(state.ssh ? { ssh: state.ssh as unknown as JsonObject } : {}),
    ...(state.params && !state.params_truncated ? { params: state.params } : {}),
    metadata: { initiated_from: "page", step_of: state.workflow_id },
  };
}
