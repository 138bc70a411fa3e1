import { countdown } from "../run/steps/countdown";
import { now } from "../now";
import { exactTime } from "../format/times";
import type { RateLimit } from "./answer";
import { Nothing } from "./Part";
import { limitWords } from "./words";

/** The rate limits that were used of late: how much of each is used, who waits, and what its dependency asked for. */
export function Limits({ limits }: { limits: readonly RateLimit[] | null }) {
  if (limits === null) return <Nothing>Valkey does not answer: limits rest, and how they stand is not known.</Nothing>;
  if (limits.length === 0) return <Nothing>No step named a rate limit of late.</Nothing>;
  const at = now.value;
  const idle = limits.filter((limit) => isIdle(limit, at));
  const others = limits.filter((limit) => !isIdle(limit, at));
  return (
    <div class="card">
      {others.length > 0 && <ul class="dash-list">{others.map((limit) => <LimitRow key={limit.name} limit={limit} />)}</ul>}
      {idle.length > 0 && (
        <details class={`limits-idle${others.length > 0 ? " limits-below" : ""}`}>
          <summary>{idle.length.toLocaleString("en")} {others.length > 0 ? "more " : ""}without a limit of {idle.length === 1 ? "its" : "their"} own, held back only when what is called asks for it</summary>
          <ul class="dash-list">{idle.map((limit) => <LimitRow key={limit.name} limit={limit} />)}</ul>
        </details>
      )}
    </div>
  );
}

/** It only obeys what it calls, which asks for nothing. */
export const isIdle = (limit: Pick<RateLimit, "limit" | "waiting" | "blockedUntil">, at: number): boolean =>
  limit.limit === null && limit.waiting === 0 && (limit.blockedUntil === null || Date.parse(limit.blockedUntil) <= at);

function LimitRow({ limit }: { limit: RateLimit }) {
  const words = limitWords(limit);
  const blockedMs = limit.blockedUntil === null ? 0 : Date.parse(limit.blockedUntil) - now.value;
  const share = limit.limit === null ? 0 : Math.min(1, limit.used / Math.max(1, limit.limit));
  return (
    <li class="limit-row">
      <div class="limit-name"><span class="mono truncate" title={limit.name}>{limit.name}</span><span class="muted small">{words ?? "as what it calls asks"}</span></div>
      {limit.limit !== null && (
        <div class="limit-used">
          <span class="limit-bar" aria-hidden="true"><span class={share >= 1 ? "limit-fill limit-full" : "limit-fill"} style={{ width: `${share * 100}%` }} /></span>
          <span class="small"><strong>{limit.used.toLocaleString("en")}</strong> of {limit.limit.toLocaleString("en")} used</span>
        </div>
      )}
      <p class="limit-facts">
        {blockedMs > 0 && <span class="tone-red" title={exactTime(limit.blockedUntil!)}>blocked by what it calls, {countdown(blockedMs)} left</span>}
        <span class={limit.waiting > 0 ? "tone-amber" : "muted"}>{limit.waiting > 0 ? `${limit.waiting.toLocaleString("en")} ${limit.waiting === 1 ? "waits" : "wait"}` : "nobody waits"}</span>
        <span class="muted" title="since it was first used">{limit.admitted.toLocaleString("en")} let through, {limit.hits.toLocaleString("en")} made to wait{limit.refused > 0 ? `, ${limit.refused.toLocaleString("en")} refused by it` : ""}</span>
      </p>
    </li>
  );
}
