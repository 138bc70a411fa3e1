import { call, post } from "../../api/client";
import type { Started, State, StepState } from "../../api/types";
import type { RunFeed } from "../../live/feed";
import { say } from "../../parts/notices";
import { Later } from "../../parts/Later";
import { go, paths } from "../../router";
import { whyNotOperator } from "../../session";
import { titleOf } from "../steps/secondLine";
import { type Asked, send, sendNew } from "./asking";
import { Confirm } from "./Confirm";
import { runReason, stepReason, type RunControl, type StepControl } from "./possible";
import { readArchived } from "./archived";
import { archiveWords, labelOf, restartWords, retryWords, skipWords, stopWords } from "./words";
import "./controls.css";

const answerForm = () => import("./AnswerForm");
const forkForm = () => import("./ForkForm");
const templateForm = () => import("./TemplateForm");

export interface DialogProps {
  feed: RunFeed;
  state: State;
  asked: Asked;
  step: StepState | undefined;
  close: () => void;
}

/** The dialog of a control: what will happen, what is needed for it, and the button that does it. */
export function ControlDialog(props: DialogProps) {
  const { feed, state, asked, step, close } = props;
  const body = { workflow_id: feed.runId };
  const why = whyNotOperator.value;
  const ofRun = (control: RunControl) => runReason(control, state, why);
  const ofStep = (control: StepControl) => (step ? stepReason(control, step, state, why) : "There is no such step any more.");
  const title = step ? titleOf(step) : "";

  switch (asked.control) {
    case "stop":
      return (
        <Confirm
          title="Stop this run?" words={stopWords(state)} confirm="Stop run" danger reason={ofRun("stop")} close={close}
          send={() => send(feed, asked, "stop", () => post("/workflow/stop", { body }))}
        />
      );
    case "retry":
      return (
        <Confirm
          title={`${labelOf("retry", state)}?`} words={retryWords(state, null)} confirm="Retry" reason={ofRun("retry")} close={close}
          send={() => send(feed, asked, "retry", () => post("/workflow/retry", { body }))} done={() => say("Retrying.")}
        />
      );
    case "retry_from":
      return (
        <Confirm
          title={`Retry from ${title}?`} words={retryWords(state, asked.step)} confirm="Retry from here" reason={ofStep("retry_from")} close={close}
          send={() => send(feed, asked, "retry", () => post("/workflow/retry", { body: { ...body, step: asked.step } }))} done={() => say(`Retrying from ${title}.`)}
        />
      );
    case "skip":
      return (
        <Confirm
          title={`Skip ${title}?`} words={step ? skipWords(state, step) : []} confirm="Skip" reason={ofStep("skip")} close={close}
          send={() => send(feed, asked, "skip", () => post("/workflow/skip", { body: { ...body, step: asked.step } }))} done={() => say(`Skipped ${title}.`)}
        />
      );
    case "restart":
      return (
        <Confirm
          title="Restart?" words={restartWords(state)} confirm="Restart" reason={ofRun("restart")} close={close}
          send={() => sendNew(feed, asked, "restart", (newId) => post("/workflow/restart", { body: { ...body, new_workflow_id: newId } }))} done={goToNew}
        />
      );
    case "archive":
      return (
        <Confirm
          title="Archive this run?" words={archiveWords()} confirm="Archive" reason={ofRun("archive")} close={close}
          send={() => send(feed, asked, "archive", async () => {
            const answer = await call("delete", "/workflow/state", { body });
            await readArchived(feed.runId);
            return answer;
          })} done={() => say("Archived.")}
        />
      );
    case "answer": return <Later load={answerForm} props={props} />;
    case "fork": case "alone": return <Later load={forkForm} props={props} />;
    case "template": return <Later load={templateForm} props={props} />;
    default: return null;
  }
}

/** A control made a new run: go there, and say so where an earlier try had made it. */
export function goToNew({ workflow_id: id, created }: Started): void {
  if (!created) say("An earlier try had begun this run already; nothing was begun twice.");
  go(paths.run(id));
}
