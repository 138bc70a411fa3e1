import { useEffect, useRef } from "preact/hooks";

import { bindKeys } from "../keys";
import { Copy } from "../parts/Copy";
import { paths } from "../router";
import { whyNotOperator } from "../session";
import { RunLink, type AnswerActs } from "./Answer";
import { Branches } from "./Branches";
import { StopIcon, TickIcon } from "./icons";
import { Markdown } from "./markdown/Markdown";
import { ModelName } from "./ModelName";
import { letterOf } from "./names";
import { StateLine } from "./StateLine";
import type { Place, Tree } from "./tree";
import type { Message, Verdict } from "./types";
import { useMessage } from "./useMessage";

export interface BattleProps {
  place: Place;
  tree: Tree;
  show: (leaf: string) => void;
  acts: AnswerActs;
  /** Whether its keys are the page's: of the last battle of the branch. */
  hasKeys: boolean;
  vote: (battle: string, verdict: Verdict) => void;
}

/** Models that answer side by side, without names until somebody has voted. */
export function Battle({ place, tree, show, acts, hasKeys, vote }: BattleProps) {
  const { battle: answers } = place;
  const id = place.message.battle!;
  const verdict = answers.find((one) => one.vote)?.vote ?? null;
  const writing = answers.some((one) => one.status === "writing");
  const asked = acts.asked.has(id);
  const stopping = writing && answers.some((one) => acts.asked.has(one.id));
  const whyNot = whyNotOperator.value ?? (writing ? "You can vote when all have ended." : null);
  const votes = [
    ...answers.map((one, index) => ({ key: String(index + 1), label: `${letterOf(index)} is better`, act: () => vote(id, { verdict: "winner", winner: one.id }) })),
    { key: "t", label: answers.length === 2 ? "Both are good" : "All are good", act: () => vote(id, { verdict: "tie" }) },
    { key: "x", label: answers.length === 2 ? "Both are bad" : "All are bad", act: () => vote(id, { verdict: "all_bad" }) },
  ];
  const latest = useRef(votes);
  latest.current = votes;
  const canVote = hasKeys && whyNot === null && verdict === null && !asked;
  useEffect(() => {
    if (!canVote) return;
    return bindKeys(latest.current.map(({ key, label }, at) => ({ keys: key, label: `Vote: ${label.toLowerCase()}`, group: "Chat", act: () => latest.current[at]?.act() })));
  }, [canVote, answers.length]);
  return (
    <section class="battle" aria-label="Answers side by side">
      <div class={`battle-all battle-${answers.length}`}>
        {answers.map((one, index) => <Contender key={one.id} message={one} index={index} won={verdict?.winner === one.id} chosen={place.message.id === one.id} all={answers} acts={acts} read={() => show(one.id)} />)}
      </div>
      {verdict === null ? (
        <div class="battle-votes" role="group" aria-label="Your vote">
          {votes.map(({ key, label, act }) => (
            <button key={key} type="button" class="button" disabled={whyNot !== null || asked} title={whyNot ?? undefined} aria-keyshortcuts={key} onClick={act}>{label} <kbd>{key}</kbd></button>
          ))}
          {(whyNot ?? asked) && <p class="muted small battle-why">{whyNot ?? "Sent"}</p>}
        </div>
      ) : (
        <p class="battle-verdict">{sentenceOf(verdict, answers)} <a class="link" href={paths.ratings()}>See the ratings</a></p>
      )}
      <div class="chat-tools"><Branches place={place} tree={tree} show={show} />
        {writing && <button type="button" class="button chat-small" disabled={whyNotOperator.value !== null || stopping} title={whyNotOperator.value ?? "Stop all of them; what is written by then is kept"} onClick={() => acts.stop(place.message)}><StopIcon />{stopping ? "Stopping" : "Stop all"}</button>}
      </div>
    </section>
  );
}

function sentenceOf(verdict: NonNullable<Message["vote"]>, answers: readonly Message[]): string {
  if (verdict.verdict === "tie") return "Voted: as good as each other.";
  if (verdict.verdict === "all_bad") return "Voted: none of them is good.";
  return `Voted: ${letterOf(answers.findIndex((one) => one.id === verdict.winner))} is better.`;
}

interface ContenderProps {
  message: Message;
  index: number;
  won: boolean;
  chosen: boolean;
  all: readonly Message[];
  acts: AnswerActs;
  read: () => void;
}

function Contender({ message: known, index, won, chosen, all, acts, read }: ContenderProps) {
  const message = useMessage(known);
  const stopping = message.status === "writing" && all.some((one) => acts.asked.has(one.id));
  return (
    <article class={`contender${won ? " contender-won" : ""}`} aria-label={`Answer ${letterOf(index)}`} aria-busy={message.status === "writing"} data-message={message.id} data-status={message.status}>
      <header class="contender-head">
        <span class="contender-letter">{letterOf(index)}</span>
        {message.model === null ? <span class="muted small">named after the vote</span> : <ModelName name={message.model} />}
        {won && <span class="tone-green contender-mark"><TickIcon />better</span>}
      </header>
      <div class="contender-text">
        <Markdown text={message.text} writing={message.status === "writing"} />
        <StateLine message={message} stopping={stopping} />
      </div>
      {message.status !== "writing" && (known.vote || message.text !== "") && (
        <div class="chat-tools contender-tools">
          {message.text !== "" && <Copy text={() => message.text} className="button plain chat-small" />}
          {known.vote && <button type="button" class="button plain chat-small" aria-pressed={chosen} onClick={read}>{chosen ? "The conversation goes on from here" : "Go on from here"}</button>}
          {known.vote && <RunLink message={message} />}
        </div>
      )}
    </article>
  );
}
