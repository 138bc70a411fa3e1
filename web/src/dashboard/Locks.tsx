import { clock } from "../format/durations";
import { resource } from "../format/resources";
import { exactTime } from "../format/times";
import { now } from "../now";
import { paths } from "../router";
import type { Lock, LockHolder } from "./answer";
import { Nothing } from "./Part";

/** Locks and places that are held or waited for: by whom, and who comes next. */
export function Locks({ locks }: { locks: readonly Lock[] }) {
  if (locks.length === 0) return <Nothing>No lock is held.</Nothing>;
  return <ul class="card dash-list">{locks.map((lock) => <LockRow key={lock.key} lock={lock} />)}</ul>;
}

function LockRow({ lock }: { lock: Lock }) {
  const name = lock.mode === "place" ? resource(lock.key).name : lock.key.replace(/^lock:/, "");
  return (
    <li class="lock-row">
      <p class="lock-head">
        <span class="mono truncate" title={name}>{name}</span>
        <span class="muted small">{lock.mode === "place" ? `${lock.held} of ${lock.capacity ?? lock.held} places taken` : lock.mode === "shared" ? "held together" : "held alone"}</span>
        <span class={`small ${lock.waiting > 0 ? "tone-amber" : "muted"}`}>{lock.waiting > 0 ? `${lock.waiting.toLocaleString("en")} ${lock.waiting === 1 ? "waits" : "wait"}` : "nobody waits"}</span>
      </p>
      <Who word="held by" people={lock.holders} all={lock.held} />
      <Who word="next" people={lock.waiters} all={lock.waiting} />
    </li>
  );
}

function Who({ word, people, all }: { word: string; people: readonly LockHolder[]; all: number }) {
  if (people.length === 0) return null;
  return (
    <div class="lock-who">
      <span class="muted">{word}</span>
      <ul>
        {people.map((one) => (
          <li key={`${one.workflowId} ${one.step}`}>
            <a class="lock-link" href={paths.step(one.workflowId, one.step)}><span class="mono truncate">{one.workflowId}</span><span class="truncate">{one.step}</span></a>
            <span class="muted" title={exactTime(one.since)}>for {clock(now.value - Date.parse(one.since))}{one.forRun ? ", until its run ends" : ""}</span>
          </li>
        ))}
        {all > people.length && <li class="muted">and {(all - people.length).toLocaleString("en")} more</li>}
      </ul>
    </div>
  );
}
