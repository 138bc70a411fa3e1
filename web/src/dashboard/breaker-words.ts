// What setting a breaker by hand will do, said before it is done.
import type { Breaker } from "./answer";

export type BreakerAct = "reset" | "open" | "closed" | "auto";

export interface ActWords {
  title: string;
  confirm: string;
  words: string[];
  /** For `Failed to ...`. */
  verb: string;
}

export function actWords(act: BreakerAct, breaker: Pick<Breaker, "name" | "state" | "forced">, waiting: number): ActWords {
  const { name } = breaker;
  const wait = waiting === 0 ? null : waiting === 1 ? "The step that waits on it goes on." : `Of the ${waiting.toLocaleString("en")} steps that wait on it two go on at once, and each that succeeds lets two more go on.`;
  const some = (...words: (string | null)[]): string[] => words.filter((one): one is string => one !== null);
  switch (act) {
    case "reset":
      return {
        title: `Reset the breaker ${name}?`, confirm: "Reset", verb: `reset the breaker ${name}`,
        words: some("It closes, and the failures it counted are forgotten.", breaker.forced === null ? null : "It is then left to itself again.", wait, "Should the calls still fail, it opens again."),
      };
    case "open":
      return {
        title: `Hold the breaker ${name} open?`, confirm: "Hold open", verb: `hold the breaker ${name} open`,
        words: ["No step calls what it stands for until it is left to itself or reset: steps wait, or fail where they say so.", "It is not probed meanwhile."],
      };
    case "closed":
      return {
        title: `Hold the breaker ${name} closed?`, confirm: "Hold closed", verb: `hold the breaker ${name} closed`,
        words: some("All calls go through, however many fail, until it is left to itself or reset.", wait),
      };
    case "auto":
      return {
        title: `Leave the breaker ${name} to itself?`, confirm: "Leave to itself", verb: `leave the breaker ${name} to itself`,
        words: some("It opens and closes by what the calls say, from now on.", breaker.state === "open" ? wait : null),
      };
  }
}
