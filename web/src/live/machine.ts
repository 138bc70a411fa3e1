// What a feed does next, as a pure function: what happened goes in, what to do comes out. Times in milliseconds.
import { backoffMs } from "./backoff";
import type { Connection } from "./feed";

/** An event can be lost after its commit, so a live page still asks. */
export const CHECK_MS = 15_000;
/** Reads that events ask for are no closer together. */
const SPACING_MS = 500;
/** A subscription that was silent for so long may be to a socket that nobody holds any more. */
const SILENT_MS = 5000;
/** So long a first connection may take before it is called polling. */
const FIRST_CONNECT_MS = 3000;
/** A question that is older than this, when the network comes back, is asked again. */
const HUNG_MS = 2000;

export interface Machine {
  openedAt: number;
  seen: boolean;
  signedOut: boolean;
  missing: boolean;
  /** `new`: no attempt has ended yet. `joining`: subscribed, not yet confirmed; `probing`: the same once more, to see whether it lives. */
  socket: "new" | "down" | "up" | "joining" | "probing" | "joined";
  /** Since when a read has been under way. */
  readingSince: number | null;
  /** Read once more when this one has come. */
  again: boolean;
  /** Nobody saw the page when events did not say all: read when somebody does. */
  missed: boolean;
  /** When the last read began. */
  readAt: number | null;
  /** When to read next. */
  due: number | null;
  /** Reads that failed in a row. */
  failures: number;
  /** The same since anything was heard, which is what the word in the top bar goes by. */
  silent: number;
  /** When the server last confirmed what is shown. */
  asOf: number | null;
  /** When the subscription last said anything. */
  heardAt: number;
}

export type Input =
  | { it: "opened"; seen: boolean }
  | { it: "answered"; changed: boolean }
  /** No answer, or one that says that nothing can be read now. */
  | { it: "unanswered"; afterMs?: number }
  | { it: "missing" }
  | { it: "signed-out" }
  | { it: "signed-in" }
  /** An event or a document came over the socket. */
  | { it: "heard" }
  /** Events are missing, or do not say all. `unseen`: a page that nobody sees needs to know, too. */
  | { it: "incomplete"; unseen?: boolean }
  /** Somebody wants to know now. */
  | { it: "wanted" }
  | { it: "due" }
  | { it: "hidden" }
  /** The page is seen again, has the focus again, or the device is online again. */
  | { it: "woken" }
  | { it: "socket-up" }
  | { it: "socket-down" }
  | { it: "joined" }
  | { it: "not-joined" };

/** `read`: the state, giving up a read under way. `join`: subscribe from the last place, again if need be. */
export type Effect = "read" | "join";

export interface Moment {
  at: number;
  pollMs: number;
  random: () => number;
}

export interface Next {
  machine: Machine;
  effects: Effect[];
}

export const asleep: Machine = {
  openedAt: 0, seen: false, signedOut: false, missing: false, socket: "new", readingSince: null, again: false, missed: false,
  readAt: null,  due: null, failures: 0, silent: 0, asOf: null, heardAt: 0,
};

export function step(before: Machine, input: Input, { at, pollMs, random }: Moment): Next {
  const m = { ...before };
  const effects: Effect[] = [];
  const read = () => {
    if (m.signedOut) return;
    m.readingSince = at;
    m.readAt = at;
    m.again = false;
    m.missed = false;
    m.due = null;
    effects.push("read");
  };
  const join = () => {
    // Without a place in the stream there is nothing to subscribe after.
    if (m.asOf === null || m.missing || m.signedOut) return;
    m.socket = m.socket === "joined" ? "probing" : "joining";
    effects.push("join");
  };
  /** After a read: when is the next one? */
  const rest = (waitMs: number) => {
    m.readingSince = null;
    if (m.again) read();
    else m.due = m.signedOut ? null : at + waitMs;
  };
  const calm = () => (isJoined(m) || m.missing ? CHECK_MS : pollMs);

  switch (input.it) {
    case "opened":
      m.openedAt = at;
      m.seen = input.seen;
      read();
      break;
    case "answered": {
      const news = input.changed && m.asOf !== null;
      m.asOf = at;
      m.failures = 0;
      m.silent = 0;
      m.missing = false;
      m.signedOut = false;
      rest(calm());
      // What changed should have been heard. A socket that says nothing more is found out by subscribing again.
      if (m.socket === "up" || (m.socket === "joined" && news && at - m.heardAt > SILENT_MS)) join();
      break;
    }
    case "unanswered":
      m.failures += 1;
      m.silent += 1;
      rest(Math.max(backoffMs(m.failures, random), input.afterMs ?? 0));
      break;
    case "missing":
      m.missing = true;
      m.failures = 0;
      m.silent = 0;
      m.asOf = at;
      rest(CHECK_MS);
      break;
    case "signed-out":
      m.signedOut = true;
      m.readingSince = null;
      m.due = null;
      break;
    case "signed-in":
      m.signedOut = false;
      m.failures = 0;
      read();
      break;
    case "heard":
      m.heardAt = at;
      m.silent = 0;
      if (m.asOf !== null) m.asOf = at;
      break;
    case "incomplete":
      if (!m.seen && !input.unseen) m.missed = true;
      else if (m.readingSince !== null) m.again = true;
      // `due` reads nothing for a page that nobody sees.
      else if (!m.seen || m.readAt === null || at - m.readAt >= SPACING_MS) read();
      else m.due = Math.min(m.due ?? Infinity, m.readAt + SPACING_MS);
      break;
    case "wanted":
      read();
      break;
    case "due":
      m.due = null;
      // Nobody looks at a hidden page; `woken` catches up.
      if (m.seen && m.readingSince === null) read();
      break;
    case "hidden":
      m.seen = false;
      break;
    case "woken":
      m.seen = true;
      if (m.readingSince === null ? m.missed || m.readAt === null || at - m.readAt >= SPACING_MS : at - m.readingSince > HUNG_MS) read();
      // The read under way began before what was missed.
      else if (m.missed) m.again = true;
      if (m.socket === "joined" && at - m.heardAt > SILENT_MS) join();
      break;
    case "socket-up":
      m.socket = "up";
      join();
      break;
    case "socket-down": {
      const was = isJoined(m);
      m.socket = "down";
      // What is said now is a promise to poll: begin at once.
      if (was && m.readingSince === null && m.failures === 0 && m.seen) read();
      break;
    }
    case "joined":
      if (m.socket !== "joining" && m.socket !== "probing") break;
      m.socket = "joined";
      m.heardAt = at;
      m.silent = 0;
      if (m.readingSince === null && m.failures === 0) m.due = at + CHECK_MS;
      break;
    case "not-joined":
      if (m.socket === "joining" || m.socket === "probing") m.socket = "up";
      if (m.readingSince === null && m.failures === 0) m.due = Math.min(m.due ?? Infinity, at + pollMs);
      break;
  }
  return { machine: m, effects };
}

const isJoined = (m: Machine) => m.socket === "joined" || m.socket === "probing";

/** The word for it. */
export function connectionOf(m: Machine, at: number, pollMs: number): Connection {
  const joined = isJoined(m);
  // The relay may go on telling while the web process begins again: that is no reason to call out at once.
  if (m.signedOut || m.silent >= (joined ? 2 : 1)) return { kind: "offline", asOf: m.asOf };
  if (m.asOf === null) return { kind: "connecting" };
  if (m.missing) return { kind: "polling", everyMs: CHECK_MS };
  if (joined) return { kind: "live" };
  if ((m.socket === "new" || m.socket === "joining") && at - m.openedAt < FIRST_CONNECT_MS) return { kind: "connecting" };
  return { kind: "polling", everyMs: pollMs };
}
