import { useState } from "preact/hooks";

import { Copy } from "../parts/Copy";
import { StatusMark } from "../parts/StatusMark";
import type { Status } from "../theme/statuses";
import { whyNotOperator } from "../session";
import type { AnswerActs } from "./Answer";
import { AgainIcon } from "./icons";
import { Markdown } from "./markdown/Markdown";
import { ModelName } from "./ModelName";
import { StateLine } from "./StateLine";
import type { Message } from "./types";
import { useMessage } from "./useMessage";

/** The agents of a mixture side by side, each as far as it is; on a phone one at a time. */
export function MixtureAgents({ answer, acts }: { answer: Message; acts: AnswerActs }) {
  const agents = answer.proposals ?? [];
  // While they write they are what there is to see; they stay until somebody hides them, so that nothing jumps.
  const [shown, setOpen] = useState(answer.status === "writing" && answer.text === "");
  const [at, setAt] = useState(0);
  if (agents.length === 0) return <p class="chat-state"><StatusMark status="pending" size={14} /><span>{answer.notice ?? "The agents begin"}</span></p>;
  return (
    <section class="agents" aria-label="Agents">
      <div class="agents-head">
        <ul class="agents-marks">
          {agents.map((agent, index) => <li key={agent.id}><Tab agent={agent} current={shown && index === at} open={() => { setAt(index); setOpen(true); }} /></li>)}
        </ul>
        <button type="button" class="button plain chat-small" aria-expanded={shown} onClick={() => setOpen(!shown)}>{shown ? "Hide the agents" : "Show the agents"}</button>
      </div>
      {shown && <div class={`agents-all agents-${Math.min(agents.length, 3)}`}>{agents.map((agent, index) => <Agent key={agent.id} answer={answer} agent={agent} index={index} current={index === at} acts={acts} />)}</div>}
    </section>
  );
}

const MARKS: Record<Message["status"], Status> = { writing: "in_progress", completed: "completed", stopped: "cancelled", failed: "failed" };

function markOf(agent: Message): Status {
  if (agent.status !== "writing") return MARKS[agent.status];
  const status = agent.step?.status;
  return status === "waiting" || status === "ready" || status === "pending" ? status : "in_progress";
}

function Tab({ agent, current, open }: { agent: Message; current: boolean; open: () => void }) {
  const message = useMessage(agent);
  return (
    <button type="button" class="agents-tab" aria-pressed={current} onClick={open}>
      <StatusMark status={markOf(message)} size={14} /><ModelName name={message.model} />
    </button>
  );
}

function Agent({ answer, agent, index, current, acts }: { answer: Message; agent: Message; index: number; current: boolean; acts: AnswerActs }) {
  const message = useMessage(agent);
  const whyNot = whyNotOperator.value;
  const asked = acts.asked.has(message.id);
  return (
    <article class={`agent${current ? " agent-current" : ""}`} aria-label={`Agent ${index + 1}`} aria-busy={message.status === "writing"} data-status={message.status}>
      <header class="agent-head"><StatusMark status={markOf(message)} size={14} /><ModelName name={message.model} /></header>
      <div class="agent-text" tabIndex={0} role="group" aria-label={`What agent ${index + 1} proposed`}>
        {message.status === "failed" && <p class="agent-failed">One of the agents failed to respond.</p>}
        <Markdown text={message.text} writing={message.status === "writing"} />
        <StateLine message={message} />
        {message.status !== "writing" && message.text !== "" && <div class="chat-tools"><Copy text={() => message.text} className="button plain chat-small" /></div>}
        {message.status === "failed" && message.step && (
          <button
            type="button" class="button chat-small" disabled={whyNot !== null || asked || answer.status === "writing"}
            title={whyNot ?? (answer.status === "writing" ? "When the answer has ended" : "Ask this agent again, and make the answer anew of what all have proposed")}
            onClick={() => acts.retry(message, message.step!.key)}
          ><AgainIcon />{asked ? "Asked again" : "Retry this agent"}</button>
        )}
      </div>
    </article>
  );
}
