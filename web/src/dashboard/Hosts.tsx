import { bytes } from "../format/bytes";
import { ago } from "../format/times";
import { now } from "../now";
import type { HostFigures } from "./answer";
import { Nothing } from "./Part";
import { percent } from "./words";

const LEVELS = { ok: { word: "has room", tone: "green" }, high: { word: "near its limits", tone: "amber" }, critical: { word: "used up", tone: "red" } } as const;

/** The hosts that work: what of each is in use, as it reports itself. */
export function Hosts({ hosts }: { hosts: readonly HostFigures[] }) {
  if (hosts.length === 0) return <Nothing>No worker is running on any host.</Nothing>;
  return <ul class="card dash-list">{hosts.map((host) => <HostRow key={host.host} host={host} />)}</ul>;
}

function HostRow({ host }: { host: HostFigures }) {
  const level = host.level === null || host.stale ? null : LEVELS[host.level];
  return (
    <li class="host-row">
      <p class="host-head">
        <span class="mono truncate">{host.host}</span>
        {level !== null && <span class={`small tone-${level.tone}`}>{level.word}{host.reason ? `: ${host.reason}` : ""}</span>}
        <span class="muted small">{host.workers === 1 ? "1 worker" : `${host.workers} workers`}{host.stale && host.reportedAt !== null ? `, last heard of ${ago(host.reportedAt, now.value)}` : ""}</span>
      </p>
      {host.cpu === null && host.memory === null && host.disk === null ? <p class="muted small">It does not report its load.</p> : (
        <dl class={host.stale ? "host-gauges host-stale" : "host-gauges"}>
          <Gauge word="CPU" share={host.cpu} note={host.cores === null ? null : `${host.cores} ${host.cores === 1 ? "core" : "cores"}`} />
          <Gauge word="Memory" share={host.memory} note={host.memoryAvailableBytes === null ? null : `${bytes(host.memoryAvailableBytes)} free`} />
          <Gauge word="Disk" share={host.disk} note={host.diskFreeBytes === null ? null : `${bytes(host.diskFreeBytes)} free`} />
        </dl>
      )}
    </li>
  );
}

function Gauge({ word, share, note }: { word: string; share: number | null; note: string | null }) {
  const tone = share === null || share < 0.8 ? "" : share < 0.95 ? " host-high" : " host-critical";
  return (
    <div class="host-gauge">
      <dt>{word}</dt>
      <dd>
        <span class="host-bar" aria-hidden="true"><span class={`host-fill${tone}`} style={{ width: `${Math.min(1, share ?? 0) * 100}%` }} /></span>
        <strong>{percent(share)}</strong>{note !== null && <span class="muted">{note}</span>}
      </dd>
    </div>
  );
}
