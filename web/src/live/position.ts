// Places in a run's stream of events, `<epoch>-<seq>`, and what is missing between two of them.

export interface Place {
  epoch: number;
  seq: number;
}

export function placeOf(position: string): Place {
  const [epoch, seq] = position.split("-").map(Number);
  return { epoch: epoch ?? 0, seq: seq ?? 0 };
}

export type Step =
  /** It follows what was there. */
  | "next"
  /** It was there already. */
  | "again"
  /** Something before it is missing: the state tells it. */
  | "gap";

/** What the event at `to` is to somebody who has taken in everything up to `last`. */
export function stepTo(last: string | null, to: Place): Step {
  // Subscribed without a place: from now on, whatever its number.
  if (last === null) return "next";
  const at = placeOf(last);
  // Before everything: the first event begins any epoch.
  if (at.seq === 0 && at.epoch === 0) return to.seq === 1 ? "next" : "gap";
  if (at.epoch !== to.epoch) return "gap";
  if (to.seq <= at.seq) return "again";
  return to.seq === at.seq + 1 ? "next" : "gap";
}

/** Whether `place` is at or before `position`, as far as that can be said: never across epochs. */
export function isBehind(place: Place, position: string | null): boolean {
  if (position === null) return false;
  const at = placeOf(position);
  return at.epoch === place.epoch && place.seq <= at.seq;
}
