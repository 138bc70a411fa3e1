// How a message stands, in words. What waits says for what and until when; nothing turns for ever without saying why.
import { clock, duration } from "../format/durations";
import type { Status } from "../theme/statuses";
import { WAITS } from "../theme/statuses";
import type { Message } from "./types";

export interface State {
  status: Status;
  words: string;
  /** What lies behind it, if more is known. */
  more: string | null;
}

/** What a model that has thought does then. */
const WRITING = "Writing";

/** After so long without a word it is said for how long. */
const LONG_MS = 3000;

/** Of a message that is being written; null while its text comes in, which says enough. `since`: when it began to stand so. */
export function writingState(message: Message, now: number, since: number): State | null {
  const step = message.step;
  const waited = now - since > LONG_MS ? ` for ${clock(now - since)}` : "";
  const attempt = step?.attempt ?? 0;
  switch (step?.status) {
    case "waiting":
      return { status: "waiting", words: waiting(step.waiting_for ?? null, step.until ?? null, now), more: step.why ? sentence(step.why) : null };
    case "in_progress": {
      const doing = doingOf(message);
      if (doing !== null) {
        const from = step.doing_since ? Date.parse(step.doing_since) : since;
        return { status: "in_progress", words: `${sentence(doing)}, ${clock(now - from)}${attempt > 1 ? `; attempt ${attempt}` : ""}`, more: null };
      }
      if (message.text === "") {
        const words = attempt > 1 ? `Asked again, attempt ${attempt}; no words yet${waited}` : `Asked; no words yet${waited}`;
        return { status: "in_progress", words, more: null };
      }
      return attempt > 1 ? { status: "in_progress", words: `Goes on, attempt ${attempt}`, more: null } : null;
    }
    case "pending":
      return (message.agents ?? message.proposals?.length ?? 0) > 0
        ? { status: "pending", words: "Waits for the agents", more: null }
        : { status: "pending", words: `Accepted${waited}`, more: null };
    case "completed":
    case "failed":
    case "cancelled":
    case "skipped":
      return { status: "in_progress", words: "Ending", more: null };
    default:
      return { status: "ready", words: `Waits for a free worker${waited}`, more: null };
  }
}

/** What the model does beside writing, such as thinking; null when it writes, which is seen. */
function doingOf({ step, text }: Message): string | null {
  const doing = step?.doing ?? null;
  return doing === WRITING && text !== "" ? null : doing;
}

function waiting(reason: keyof typeof WAITS | null, until: string | null, now: number): string {
  const left = until === null ? null : Date.parse(until) - now;
  const due = left === null ? "" : left > 500 ? ` in ${clock(left + 999)}` : " now";
  switch (reason) {
    case "retry": return `Asks again${due}`;
    case "rate_limit": return `The provider takes no more requests just now; goes on${due || " as soon as it may"}`;
    case "breaker": return `The provider is failing, so it is left alone; asked again${due || " when it is well"}`;
    case null: return "Waits";
    default: return `Waits for ${WAITS[reason]}${due}`;
  }
}

/** Of a message that has ended, if there is anything to say of that. */
export function endState(message: Message): State | null {
  switch (message.status) {
    case "stopped":
      return { status: "cancelled", words: message.text === "" ? "Stopped before the first word" : "Stopped; what was written by then is kept", more: null };
    case "failed":
      return { status: "failed", words: failure(message.error ?? null), more: message.text === "" ? null : "What was written by then is kept." };
    case "completed":
      if (message.finish_reason === "length") return { status: "completed", words: "Cut off: it reached its greatest length", more: null };
      if (message.finish_reason === "content_filter") return { status: "completed", words: "Cut off by the provider's filter", more: null };
      return message.text.trim() === "" ? { status: "completed", words: "The model answered nothing", more: null } : null;
    default:
      return null;
  }
}

function failure(error: { [name: string]: unknown } | null): string {
  const message = error?.["message"];
  return typeof message === "string" && message !== "" ? sentence(message) : "It failed, and nothing is known of why";
}

/** With a capital, as sentences begin. */
export const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** What an answer took: pairs of what and how much. */
export function figures(message: Message): [string, string][] {
  const { usage, timings } = message;
  if (!usage && !timings) return [];
  const found: [string, string][] = [];
  const about = usage?.estimated ? "about " : "";
  if (usage) {
    found.push(["Prompt", `${about}${tokens(usage.prompt_tokens)}`], ["Answer", `${about}${tokens(usage.completion_tokens)}`]);
  }
  if (timings?.first_token_ms != null) found.push(["First word after", duration(timings.first_token_ms)]);
  if (timings) found.push(["All of it after", duration(timings.total_ms)]);
  if (timings?.tokens_per_s != null) found.push(["Pace", `${about}${Math.round(timings.tokens_per_s)} tokens a second`]);
  const attempts = message.attempt ?? message.step?.attempt ?? 1;
  if (attempts > 1) found.push(["Attempts", String(attempts)]);
  if (message.finish_reason) found.push(["Ended by", ENDS[message.finish_reason] ?? message.finish_reason]);
  return found;
}

const ENDS: Record<string, string | undefined> = { stop: "the model", length: "its greatest length", stopped: "a person", error: "a failure", content_filter: "the provider's filter" };

const tokens = (count: number): string => `${count.toLocaleString("en")} ${count === 1 ? "token" : "tokens"}`;
