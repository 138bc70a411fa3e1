import { post } from "../api/client";
import { say } from "../parts/notices";
import { sent } from "../run/controls/asking";
import { Confirm } from "../run/controls/Confirm";
import "../run/controls/controls.css";
import type { Breaker } from "./answer";
import { actWords, type BreakerAct } from "./breaker-words";
import { whyNotAdmin } from "./rights";

export type { BreakerAct } from "./breaker-words";

interface Props {
  breaker: Breaker;
  act: BreakerAct;
  waiting: number;
  refresh: () => Promise<void>;
  close: () => void;
}

/** Says what setting a breaker by hand will do, and does it. */
export function BreakerDialog({ breaker, act, waiting, refresh, close }: Props) {
  const { name } = breaker;
  const { title, confirm, words, verb } = actWords(act, breaker, waiting);
  const send = () => sent(verb, () => (
    act === "reset"
      ? post("/api/orchestration/circuit-breakers/reset", { body: { name } })
      : post("/api/orchestration/circuit-breakers/force", { body: { name, state: act } })
  ), refresh);
  return (
    <Confirm
      title={title} words={words} confirm={confirm} danger={act === "open" || act === "closed"} reason={whyNotAdmin.value} close={close} send={send}
      done={(answer) => say(`${said(act, name)}${goOn(answer?.woken ?? 0)}`)}
    />
  );
}

const goOn = (woken: number): string =>
  woken === 0 ? "" : ` ${woken === 1 ? "One step goes" : `${woken} steps go`} on; each that succeeds lets two more go on.`;

function said(act: BreakerAct, name: string): string {
  switch (act) {
    case "reset": return `The breaker ${name} was reset.`;
    case "open": return `The breaker ${name} is held open.`;
    case "closed": return `The breaker ${name} is held closed.`;
    case "auto": return `The breaker ${name} is left to itself.`;
  }
}
