// The messages of a conversation as a tree: which branch is read, and which others there are at each place.
import type { Message } from "./types";

/** One place of the branch that is read. */
export interface Place {
  message: Message;
  /** All that could stand here, the oldest first; those of one battle count as one. */
  siblings: readonly Message[];
  /** Which of the siblings it is, from 0. */
  index: number;
  /** The answers of the same battle, itself among them; empty where it is none. */
  battle: readonly Message[];
}

export interface Tree {
  byId: ReadonlyMap<string, Message>;
  below: ReadonlyMap<string | null, readonly Message[]>;
}

/** `messages` in the order of their age. A parent that is not among them, since it is too old, counts as none. */
export function treeOf(messages: readonly Message[]): Tree {
  const byId = new Map(messages.map((one) => [one.id, one]));
  const below = new Map<string | null, Message[]>();
  for (const one of messages) {
    const parent = one.parent !== null && byId.has(one.parent) ? one.parent : null;
    below.set(parent, [...(below.get(parent) ?? []), one]);
  }
  return { byId, below };
}

/** The branch through a message to the newest end below it; without one, or an unknown one, the newest branch. */
export function branchOf(tree: Tree, through: string | null): Place[] {
  const start = (through !== null && tree.byId.get(through)) || null;
  const places: Place[] = [];
  const seen = new Set<string>();
  for (let one = start; one !== null && !seen.has(one.id); one = one.parent === null ? null : tree.byId.get(one.parent) ?? null) {
    seen.add(one.id);
    places.unshift(placeOf(tree, one));
  }
  for (let next = newest(tree, start?.id ?? null); next !== undefined && !seen.has(next.id); next = newest(tree, next.id)) {
    seen.add(next.id);
    places.push(placeOf(tree, next));
  }
  return places;
}

/** The message that ends the newest branch below one. */
export function leafBelow(tree: Tree, message: string): string {
  let leaf = message;
  for (let next = newest(tree, leaf); next !== undefined; next = newest(tree, leaf)) leaf = next.id;
  return leaf;
}

function newest(tree: Tree, parent: string | null): Message | undefined {
  const last = tree.below.get(parent)?.at(-1);
  // Of a battle the first one stands for all.
  return last?.battle ? tree.below.get(parent)?.find((one) => one.battle === last.battle) : last;
}

function placeOf(tree: Tree, message: Message): Place {
  const parent = message.parent !== null && tree.byId.has(message.parent) ? message.parent : null;
  // Where parents are not known, those of another one are none of its siblings.
  const all = (tree.below.get(parent) ?? [message]).filter((one) => one.parent === message.parent);
  const siblings = all.filter((one, at) => !one.battle || all.findIndex((other) => other.battle === one.battle) === at);
  const index = siblings.findIndex((one) => one.id === message.id || (one.battle !== null && one.battle === message.battle));
  return { message, siblings, index, battle: message.battle === null ? [] : all.filter((one) => one.battle === message.battle) };
}
