import type { Connection } from "../live/feed";
import { clockTime } from "../format/times";
import type { Tone } from "../theme/statuses";

export interface Word {
  word: string;
  /** What it means, for the hover. */
  meaning: string;
  mark: "full" | "half" | "turning" | "none";
  tone: Tone;
}

/** The server answers, but not to somebody who is not signed in. */
export const SIGNED_OUT: Word = {
  word: "Signed out", meaning: "Your session has ended: what is shown is the last that was known. Runs go on.", mark: "none", tone: "amber",
};

/** How what is shown is kept up to date, in one word. */
export function wordOf(connection: Connection): Word {
  switch (connection.kind) {
    case "live":
      return { word: "Live", meaning: "The server tells of each change as it happens.", mark: "full", tone: "green" };
    case "polling": {
      const every = `${Math.round(connection.everyMs / 100) / 10} s`;
      return { word: `Polling every ${every}`, meaning: `This page asks the server every ${every} while it is seen.`, mark: "half", tone: "grey" };
    }
    case "connecting":
      return { word: "Connecting", meaning: "Nothing has been heard from the server yet.", mark: "turning", tone: "grey" };
    case "offline":
      return {
        word: connection.asOf === null ? "Offline" : `Offline, as of ${clockTime(connection.asOf)}`,
        meaning: "The server cannot be reached. What is shown is the last that was known; this page goes on trying, and runs go on without it.",
        mark: "none", tone: "amber",
      };
  }
}
