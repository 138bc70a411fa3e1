import { resource } from "../format/resources";
import { clock } from "../format/durations";
import { now } from "../now";
import { StatusMark } from "../parts/StatusMark";
import { countdown } from "../run/steps/countdown";
import { waitsInWords } from "../workers/overview";
import type { Flow, WaitedOn } from "./answer";
import { Nothing } from "./Part";
import { countedTo } from "./words";

/** What steps wait for other than a worker, and on what. */
export function Waiting({ flow }: { flow: Flow }) {
  const reasons = waitsInWords(Object.fromEntries(flow.waiting.map(({ reason, steps }) => [reason, steps])));
  if (reasons.length === 0) return <Nothing>Nothing waits for a retry, a lock, an answer or a limit.</Nothing>;
  return (
    <div class="card">
      <ul class="waiting-reasons">
        {reasons.map(({ reason, count, words }) => (
          <li key={reason}><StatusMark status="waiting" /><span><strong>{countedTo(count, flow.atMost)}</strong> {count === 1 ? "step" : "steps"} {words}</span></li>
        ))}
      </ul>
      {flow.waitingOn.length > 0 && <ul class="dash-list waiting-on">{flow.waitingOn.map((one) => <On key={one.waitingOn} one={one} atMost={flow.atMost} />)}</ul>}
    </div>
  );
}

function On({ one, atMost }: { one: WaitedOn; atMost: number }) {
  const { kind, name } = resource(one.waitingOn);
  const leftMs = one.nextDueAt === null ? null : Date.parse(one.nextDueAt) - now.value;
  return (
    <li class="on-row">
      <span class="on-what"><span class="muted">{kind}</span> <span class="mono">{name}</span></span>
      <span class="on-facts">
        <span><strong>{countedTo(one.steps, atMost)}</strong> {one.steps === 1 ? "step" : "steps"}</span>
        {one.oldestSince !== null && <span>the first for {clock(now.value - Date.parse(one.oldestSince))}</span>}
        {leftMs !== null && leftMs > 0 && leftMs < 86_400_000 && <span>next in {countdown(leftMs)}</span>}
      </span>
    </li>
  );
}
