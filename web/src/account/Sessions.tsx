import { useEffect, useState } from "preact/hooks";

import { ago, exactTime } from "../format/times";
import { pollList } from "../live/list";
import { now } from "../now";
import { Failed, messageOf } from "../parts/Failed";
import { say } from "../parts/notices";
import { me } from "../session";
import { endSession, readSessions, type Session } from "./answers";
import { device } from "./device";
import { Rows } from "./Rows";

const FIRST_SHOWN = 8;

/** Browsers that are signed in, and how to end that. */
export function Sessions() {
  const [list] = useState(() => pollList(readSessions, { everyMs: 15_000 }));
  useEffect(() => () => list.close(), []);
  const [ending, setEnding] = useState<ReadonlySet<string>>(new Set());
  const [whole, setWhole] = useState(false);
  const sessions = list.data.value?.sessions ?? null;
  const end = async (session: Session) => {
    setEnding((old) => new Set([...old, session.id]));
    try {
      await endSession(session.id);
      if (session.current) return location.assign("/sign-in");
      await list.refresh();
      say(`Ended the session of ${device(session.user_agent)}.`);
    } catch (error) {
      say(`Not ended: ${messageOf(error)}`, "failed");
    }
    setEnding((old) => new Set([...old].filter((id) => id !== session.id)));
  };
  return (
    <section class="account-part" aria-labelledby="account-sessions">
      <h2 id="account-sessions">Sessions</h2>
      <p class="muted small">Browsers that are signed in{me.value?.role === "admin" ? ", of everyone" : ""}. One that is ended is signed out at its next request; runs go on.</p>
      {sessions === null ? (list.error.value === null ? <Rows count={2} /> : <Failed error={list.error.value} retry={() => void list.refresh()} />) : (
        <ul class="card account-list">
          {inOrder(sessions).slice(0, whole ? sessions.length : FIRST_SHOWN).map((session) => (
            <li key={session.id} class="account-line">
              <div class="account-line-what">
                <p class="account-line-name"><span class="truncate" title={session.user_agent ?? undefined}>{device(session.user_agent)}</span>{session.current && <span class="tag account-tag-own">this one</span>}</p>
                <p class="account-line-more">
                  {[session.user_name === me.value?.name ? null : session.user_name, session.address, `token ${session.token}`].filter(Boolean).join(" · ")}
                </p>
              </div>
              <p class="account-line-when">
                <span title={exactTime(session.created_at)}>since {ago(session.created_at, now.value)}</span>
                <span title={exactTime(session.expires_at)}>until {day(session.expires_at)}</span>
              </p>
              <button type="button" class="button" disabled={ending.has(session.id)} aria-label={`${session.current ? "Sign out" : "End"}: ${device(session.user_agent)}`} onClick={() => void end(session)}>
                {ending.has(session.id) ? "Ending" : session.current ? "Sign out" : "End"}
              </button>
            </li>
          ))}
        </ul>
      )}
      {!whole && sessions !== null && sessions.length > FIRST_SHOWN && (
        <button type="button" class="button account-more" onClick={() => setWhole(true)}>Show all {sessions.length}</button>
      )}
    </section>
  );
}

const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const day = (at: string): string => DAY.format(new Date(at));

/** This one first, then the newest. */
const inOrder = (sessions: readonly Session[]): Session[] =>
  [...sessions].sort((a, b) => Number(b.current) - Number(a.current) || b.created_at.localeCompare(a.created_at));
