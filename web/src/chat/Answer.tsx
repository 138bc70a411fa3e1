import { useState } from "preact/hooks";

import { Copy } from "../parts/Copy";
import { Menu, type MenuItem } from "../parts/Menu";
import { paths } from "../router";
import { whyNotOperator } from "../session";
import { Branches } from "./Branches";
import { AgainIcon, ChevronIcon, StopIcon } from "./icons";
import { Markdown } from "./markdown/Markdown";
import { MixtureAgents } from "./MixtureAgents";
import { ModelName } from "./ModelName";
import { partsOf } from "./names";
import { StateLine } from "./StateLine";
import { figures } from "./states";
import type { Place, Tree } from "./tree";
import type { Message, Model } from "./types";
import { useMessage } from "./useMessage";

export interface AnswerActs {
  stop: (message: Message) => void;
  /** Asked again in its place: the answer itself, or one agent of it. */
  retry: (message: Message, step: string | null) => void;
  /** Another answer beside it; null: by the same. */
  regenerate: (message: Message, model: string | null) => void;
  /** What the server has been asked for and has not said yet: ids of messages, and of agents. */
  asked: ReadonlySet<string>;
}

export interface AnswerProps {
  place: Place;
  tree: Tree;
  show: (leaf: string) => void;
  models: readonly Model[];
  acts: AnswerActs;
}

/** What a model, or a mixture of agents, answered. */
export function Answer({ place, tree, show, models, acts }: AnswerProps) {
  const message = useMessage(place.message);
  const agents = message.proposals ?? [];
  const writing = message.status === "writing";
  const stopping = writing && acts.asked.has(message.id);
  return (
    <article class="answer" aria-label="Answer" aria-busy={writing} data-message={message.id} data-status={message.status}>
      <header class="answer-head">
        {agents.length > 0 || (message.agents ?? 0) > 0 ? <span class="answer-mixture">Mixture of {message.agents || agents.length} agents</span> : <ModelName name={message.model} />}
      </header>
      {(agents.length > 0 || (message.agents ?? 0) > 0) && <MixtureAgents answer={message} acts={acts} />}
      {agents.length > 0 && <p class="answer-by">The answer made of them, by <ModelName name={message.model} /></p>}
      <Markdown text={message.text} writing={writing} />
      <StateLine message={message} stopping={stopping} />
      <div class="chat-tools">
        <Branches place={place} tree={tree} show={show} />
        <Tools message={message} models={models} acts={acts} stopping={stopping} />
      </div>
    </article>
  );
}

function Tools({ message, models, acts, stopping }: { message: Message; models: readonly Model[]; acts: AnswerActs; stopping: boolean }) {
  const [shown, setShown] = useState(false);
  const whyNot = whyNotOperator.value;
  if (message.status === "writing") {
    return (
      <>
        <button type="button" class="button chat-small" disabled={whyNot !== null || stopping} title={whyNot ?? "Stop writing; what is written by then is kept"} onClick={() => acts.stop(message)}>
          <StopIcon />{stopping ? "Stopping" : "Stop"}
        </button>
        <RunLink message={message} />
      </>
    );
  }
  const busy = acts.asked.has(message.id);
  const canRetry = message.status === "failed" && message.step != null;
  const others: MenuItem[] = models
    .filter((model) => model.name !== message.model)
    .map((model) => ({ label: `Ask ${shortName(model)}`, act: () => acts.regenerate(message, model.name), reason: whyNot }));
  const found = figures(message);
  return (
    <>
      {canRetry && <button type="button" class="button chat-small" disabled={whyNot !== null || busy} title={whyNot ?? "Ask the same model again, in this place"} onClick={() => acts.retry(message, null)}><AgainIcon />{busy ? "Asked again" : "Retry"}</button>}
      {message.text !== "" && <Copy text={() => message.text} className="button plain chat-small" />}
      <span class="answer-again">
        <button type="button" class="button plain chat-small" disabled={whyNot !== null || busy} title={whyNot ?? "Write another answer; this one stays beside it"} onClick={() => acts.regenerate(message, null)}><AgainIcon />Another answer</button>
        {others.length > 0 && <Menu label="Another answer by another model" items={others} className="button plain icon chat-small"><ChevronIcon /></Menu>}
      </span>
      {found.length > 0 && <button type="button" class="button plain chat-small" aria-expanded={shown} onClick={() => setShown(!shown)}>Figures</button>}
      <RunLink message={message} />
      {shown && (
        <dl class="answer-figures">
          {found.map(([what, how]) => <div key={what}><dt>{what}</dt><dd>{how}</dd></div>)}
        </dl>
      )}
    </>
  );
}

const shortName = (model: Model): string => (model.kind === "mixture" ? model.label : `${partsOf(model.name).model} (${model.provider})`);

export function RunLink({ message }: { message: Message }) {
  if (message.run_id === null) return null;
  const href = message.step ? paths.step(message.run_id, message.step.key) : paths.run(message.run_id);
  return <a class="button plain chat-small" href={href}>Run</a>;
}
