import { useId, useState } from "preact/hooks";

import { post } from "../../api/client";
import type { JsonObject } from "../../api/types";
import { say } from "../../parts/notices";
import { isObject, type Schema } from "../../start/form/schema";
import { whyNotOperator } from "../../session";
import { Countdown } from "../steps/Ticking";
import { titleOf } from "../steps/secondLine";
import { send } from "./asking";
import { Confirm } from "./Confirm";
import type { DialogProps } from "./ControlDialog";
import { faultsOf, ParamsForm } from "./ParamsForm";
import { stepReason } from "./possible";
import { type Read, WithStep } from "./WholeStep";

/** The answer that a step waits for: its own form where it describes one, else yes or no with a comment. */
export default function AnswerForm(props: DialogProps) {
  const title = props.step ? titleOf(props.step) : "Answer";
  return (
    <WithStep title={title} runId={props.feed.runId} stepKey={props.asked.step!} close={props.close}>
      {(read) => <Form {...props} title={title} read={read} />}
    </WithStep>
  );
}

function Form({ feed, state, asked, step, close, title, read }: DialogProps & { title: string; read: Read }) {
  const { prompt, name } = read.step.params as { prompt?: string; name?: string };
  const fields = fieldsOf(read.step.params as JsonObject);
  const [given, setGiven] = useState<JsonObject>({});
  const [approved, setApproved] = useState<boolean | null>(null);
  const [comment, setComment] = useState("");
  const [refused, setRefused] = useState<{ where: string; message: string } | null>(null);
  const payload = fields ? given : choicePayload(approved, comment);
  const live = step ?? read.step;
  const reason = stepReason("answer", live, state, whyNotOperator.value)
    ?? (payload === null ? "Choose one of the two." : null)
    ?? (fields && Object.keys(faultsOf(fields, given, false)).length > 0 ? "Some fields are not right yet." : null);
  const words = [prompt || `The run waits for ${name ?? "an answer"}.`, "The answer is given once and cannot be changed; the run goes on with it."];
  const submit = async () => {
    setRefused(null);
    const sent = await send(feed, asked, "answer", () => post("/workflow/signal", { body: { workflow_id: feed.runId, step: asked.step, payload: payload ?? {} } }));
    const within = "problem" in sent ? /^\/payload(\/.*)/.exec(sent.where ?? "") : null;
    if (within && "problem" in sent) setRefused({ where: within[1]!, message: sent.problem });
    return sent;
  };
  return (
    <Confirm
      title={title} words={words} confirm={fields ? "Send the answer" : approved === false ? "Reject" : "Approve"} reason={reason} danger={!fields && approved === false}
      send={submit}
      done={() => say("Answered.")} close={close}
    >
      {live.until && <p class="muted small"><Countdown untilMs={Date.parse(live.until)} before="Time left to answer:" due="The time to answer is over." /></p>}
      {fields
        ? <ParamsForm schema={fields} value={given} onChange={setGiven} refused={refused} references={false} />
        : <Choice approved={approved} choose={setApproved} comment={comment} write={setComment} />}
    </Confirm>
  );
}

function Choice({ approved, choose, comment, write }: { approved: boolean | null; choose: (yes: boolean) => void; comment: string; write: (text: string) => void }) {
  const id = useId();
  return (
    <>
      <fieldset class="answer-choice">
        <legend class="sr-only">Your answer</legend>
        {([[true, "Approve"], [false, "Reject"]] as const).map(([yes, label]) => (
          <label key={label} class="answer-option">
            <input type="radio" name={id} checked={approved === yes} onChange={() => choose(yes)} autofocus={yes} /> {label}
          </label>
        ))}
      </fieldset>
      <div class="field">
        <label for={`${id}-comment`}>Comment</label>
        <textarea id={`${id}-comment`} rows={3} maxLength={2000} value={comment} onInput={(event) => write(event.currentTarget.value)} />
      </div>
    </>
  );
}

/** The JSON schema of the answer, where the step's parameters have one. */
export function fieldsOf(params: JsonObject): Schema | null {
  const fields = params["fields"];
  if (!isObject(fields)) return null;
  if (isObject(fields["properties"])) return fields as unknown as Schema;
  // A map of names to schemas says the same without the frame around it.
  return Object.keys(fields).length > 0 && Object.values(fields).every(isObject) ? { type: "object", properties: fields as unknown as Record<string, Schema> } : null;
}

/** What yes or no sends; null until one is chosen. */
export function choicePayload(approved: boolean | null, comment: string): JsonObject | null {
  if (approved === null) return null;
  return comment.trim() === "" ? { approved } : { approved, comment: comment.trim() };
}
