import { signal } from "@preact/signals";

import { exactTime } from "../format/times";
import { now } from "../now";
import { Menu } from "../parts/Menu";
import type { Breaker } from "./answer";
import { BreakerDialog, type BreakerAct } from "./BreakerDialog";
import { BreakerHistory } from "./BreakerHistory";
import { BreakerMark } from "./BreakerMark";
import { factsOf, inOrder } from "./breaker-facts";
import { Nothing } from "./Part";
import { whyNotAdmin } from "./rights";
import { breakerLook } from "./words";

type Asked = { breaker: string; act: BreakerAct | "history" };
const asked = signal<Asked | null>(null);

/** The breakers that were used of late: how each stands, since when, when it is probed, and setting it by hand. */
export function Breakers({ breakers, waiting, refresh }: { breakers: readonly Breaker[] | null; waiting: ReadonlyMap<string, number>; refresh: () => Promise<void> }) {
  if (breakers === null) return <Nothing>Valkey does not answer: breakers rest, and how they stand is not known.</Nothing>;
  const about = asked.value;
  const close = () => { asked.value = null; };
  const meant = breakers.find((one) => one.name === about?.breaker);
  return (
    <>
      {breakers.length === 0 ? <Nothing>No step named a breaker of late.</Nothing> : (
        <ul class="card dash-list">{inOrder(breakers).map((one) => <BreakerRow key={one.name} breaker={one} waiting={waiting.get(one.name) ?? 0} />)}</ul>
      )}
      {about?.act === "history" && <BreakerHistory name={about.breaker} close={close} />}
      {about !== null && about.act !== "history" && meant && <BreakerDialog breaker={meant} act={about.act} waiting={waiting.get(meant.name) ?? 0} refresh={refresh} close={close} />}
    </>
  );
}

function BreakerRow({ breaker, waiting }: { breaker: Breaker; waiting: number }) {
  const look = breakerLook(breaker);
  const why = whyNotAdmin.value;
  const ask = (act: Asked["act"]) => () => { asked.value = { breaker: breaker.name, act }; };
  const facts = factsOf(breaker, now.value);
  return (
    <li class="breaker-row" data-breaker={breaker.name}>
      <div class="breaker-said">
        <p class="breaker-head">
          <span class="mono truncate" title={breaker.name}>{breaker.name}</span>
          <span class={`breaker-state tone-${look.tone}`}><BreakerMark mark={look.mark} />{look.word}</span>
          {waiting > 0 && <span class="small tone-amber">{waiting.toLocaleString("en")} {waiting === 1 ? "step waits" : "steps wait"}</span>}
        </p>
        <p class="breaker-facts">{facts.map((fact) => <span key={fact}>{fact}</span>)}</p>
        {breaker.lastError !== null && breaker.state !== "closed" && (
          <p class="breaker-error truncate" title={breaker.lastErrorAt === null ? breaker.lastError : `${breaker.lastError} (${exactTime(breaker.lastErrorAt)})`}>{breaker.lastError}</p>
        )}
      </div>
      <div class="breaker-do">
        <button type="button" class="button" disabled={why !== null} title={why ?? undefined} onClick={ask("reset")}>Reset</button>
        <Menu
          label={`More about ${breaker.name}`} className="button icon"
          items={[
            { label: "Its changes", act: ask("history") },
            ...(breaker.forced === null ? [] : [{ label: "Leave to itself", act: ask("auto"), reason: why }]),
            ...(breaker.forced === "open" ? [] : [{ label: "Hold open", act: ask("open"), reason: why, danger: true }]),
            ...(breaker.forced === "closed" ? [] : [{ label: "Hold closed", act: ask("closed"), reason: why, danger: true }]),
          ]}
        ><span aria-hidden="true">⋯</span></Menu>
      </div>
    </li>
  );
}
