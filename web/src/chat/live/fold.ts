// Events of a run into the messages that its steps write. Events assign: one that comes twice, or late, changes nothing.
import type { NoticeEvent, ProgressEvent, StepEvent, TextEvent } from "../../api/types";
import { isBehind, placeOf } from "../../live/position";
import type { Told } from "../../live/fold";
import { put, textOf, type Text } from "../text";
import type { Message, StepShown } from "../types";

/** A message that is being written, or was. */
export interface Part {
  message: Message;
  text: Text;
  /** Pieces that cannot be placed before the message is read again. */
  held: readonly Told[];
}

export interface Folded {
  part: Part;
  /** The message must be read: a piece is missing, or only the server says how it ended. */
  incomplete: boolean;
}

const ENDED: readonly string[] = ["completed", "failed", "skipped", "cancelled"];

export const partOf = (message: Message): Part => ({ message, text: textOf(message.text), held: [] });

/** What an event says of a message, for the step that writes it. `now`: by the server's clock, in milliseconds. */
export function fold(part: Part, told: Told, now: number): Folded {
  const { event } = told;
  const same = { part, incomplete: false };
  if (!("key" in event) || event.key !== part.message.step?.key || isBehind(told, part.message.position ?? null)) return same;
  switch (event.type) {
    case "text": return written(part, told, event);
    case "step": return stepped(part, told, event);
    case "progress": return { part: doing(part, told, event, now), incomplete: false };
    case "notice": return { part: noticed(part, event), incomplete: false };
    default: return same;
  }
}

function written(part: Part, told: Told, event: TextEvent): Folded {
  const { message } = part;
  // The pieces of a worker that was given up: another writes now.
  const known = message.attempt ?? message.step?.attempt ?? 0;
  if (event.attempt < known || (message.status !== "writing" && event.attempt === known)) return { part, incomplete: false };
  const text = part.held.length === 0 && message.status === "writing" ? put(part.text, event.offset, event.text) : null;
  if (text === null) return { part: { ...part, held: [...part.held, told] }, incomplete: true };
  const step = message.step && { ...message.step, status: "in_progress" as const, attempt: event.attempt, waiting_for: null, until: null, doing: null, doing_since: null };
  return { part: { text, held: [], message: { ...message, position: told.position, attempt: event.attempt, text: text.text, step } }, incomplete: false };
}

function stepped(part: Part, told: Told, event: StepEvent): Folded {
  const { message } = part;
  const ended = ENDED.includes(event.status);
  const step = {
    ...message.step, key: event.key, status: event.status, attempt: event.attempt,
    waiting_for: event.status === "waiting" ? event.waiting_for : null,
    until: event.status === "waiting" ? event.due_at : null,
    why: event.status === "waiting" ? (event.error?.message ?? event.message) : message.step?.why ?? null,
    doing: null, doing_since: null,
  };
  const again = message.status !== "writing" && !ended;
  return {
    part: { ...part, message: { ...message, position: told.position, attempt: event.attempt, step, ...(again ? { status: "writing" as const, error: null } : {}) } },
    // Its text, what it cost and why it ended come with the message; so does what an attempt goes on from.
    incomplete: ended || again,
  };
}

function doing(part: Part, told: Told, event: ProgressEvent, now: number): Part {
  const { step } = part.message;
  const says = event.progress?.message ?? null;
  if (!step || event.attempt !== step.attempt || says === (step.doing ?? null)) return part;
  return { ...part, message: { ...part.message, position: told.position, step: { ...step, doing: says, doing_since: new Date(now).toISOString() } } };
}

/** Since when it does what it does, where the server does not say it yet. */
function dated(read: Message, before: StepShown | null, now: number): Message {
  const { step } = read;
  if (!step?.doing || step.doing_since) return read;
  const known = before?.attempt === step.attempt && before.doing === step.doing ? before.doing_since : null;
  return { ...read, step: { ...step, doing_since: known ?? new Date(now).toISOString() } };
}

const noticed = (part: Part, event: NoticeEvent): Part => ({ ...part, message: { ...part.message, notice: event.message } });

/** Take in a message as the server told it, which may be older than what events have told since. */
export function rebase(part: Part | undefined, told: Message, now: number): Folded {
  const read = dated(told, part?.message.step ?? null, now);
  if (part === undefined) return { part: partOf(read), incomplete: false };
  const { message } = part;
  const going = read.status === "writing" && message.status === "writing" && part.held.length === 0;
  if (going && (isAhead(message.position ?? null, read.position ?? null) || isStale(message, read))) return { part, incomplete: false };
  let fresh: Folded = { part: { ...partOf({ ...read, notice: message.notice ?? null, step: read.step && { ...read.step, why: read.step.why ?? message.step?.why ?? null } }) }, incomplete: false };
  for (const held of part.held) {
    const next = fold(fresh.part, held, now);
    fresh = { part: next.part, incomplete: fresh.incomplete || next.incomplete };
  }
  return fresh;
}

/** Without the stream the server knows only what was stored, which is up to 2 s behind. */
const isStale = (shown: Message, read: Message): boolean =>
  !read.position && read.attempt === shown.attempt && read.text.length < shown.text.length && shown.text.startsWith(read.text);

function isAhead(position: string | null, other: string | null): boolean {
  if (position === null || other === null) return false;
  const [one, two] = [placeOf(position), placeOf(other)];
  return one.epoch === two.epoch && one.seq > two.seq;
}
