// The one socket of the page, shared by all runs that are watched and by what is told besides them. It is loaded when it is first wanted, and connects by itself.
import { effect } from "@preact/signals";
import type { Socket } from "socket.io-client";

import { sessionEnded } from "../api/client";
import type { State } from "../api/types";
import { config } from "../session";
import { backoffMs } from "./backoff";
import type { Summary } from "./documents";
import type { Told } from "./fold";
import { onWake } from "./waking";

export interface Listener {
  up(): void;
  down(): void;
  event(told: Told): void;
  lost(position: string): void;
  /** Not for those who read the state elsewhere. */
  document?(document: State | Summary): void;
}

/** What is told besides runs, and by which events. */
const EVENTS = { alerts: ["alert", "alerts_truncated", "alerts_live"], metrics: ["metrics"], flow: ["flow"] } as const;
export type Topic = keyof typeof EVENTS;
export type TopicEvent = (typeof EVENTS)[Topic][number];

export interface Member {
  up(): void;
  down(): void;
  hear(event: TopicEvent, data: unknown): void;
}

interface Addressed {
  workflow_id: string;
}

export interface Answer {
  success?: boolean;
  status?: number;
  position?: string | null;
  /** Of alerts: whether changes can be told just now. */
  live?: boolean;
}

/** A relay that begins again may take a connection before it can serve it: that one is given up soon. */
const CONNECT_MS = 4000;
const SHORTEST_MS = 250;
const ANSWER_MS = 5000;
/** So long the socket outlives its last listener: the next page often watches a run, too. */
const LINGER_MS = 10_000;

/** Of one run there may be several: its page lingers while another watches what it writes. Each takes events that come twice for one. */
const listeners = new Map<string, Set<Listener>>();
const members = new Map<Topic, Member>();
let socket: Socket | null = null;
let loading = false;
let failures = 0;
let triedAt = 0;
let retry: ReturnType<typeof setTimeout> | undefined;
let linger: ReturnType<typeof setTimeout> | undefined;
let stopWaking: (() => void) | null = null;

/** Be told of a run, once subscribed. */
export function listenTo(runId: string, listener: Listener): () => void {
  const all = listeners.get(runId) ?? new Set();
  listeners.set(runId, all.add(listener));
  want(listener);
  return () => {
    if (!all.delete(listener) || all.size > 0) return;
    listeners.delete(runId);
    if (socket?.connected) socket.emit("unsubscribe_workflow", { workflow_id: runId });
    unwant();
  };
}

/** Be told of a topic, once subscribed. At most one member a topic: the last. */
export function listenFor(topic: Topic, member: Member): () => void {
  members.set(topic, member);
  want(member);
  return () => {
    if (members.get(topic) !== member) return;
    members.delete(topic);
    leave(topic);
    unwant();
  };
}

/** Subscribe to a topic; null: nobody answered, which a relay of an older release does. */
export async function enter(topic: Topic, body: object): Promise<Answer | null> {
  if (!socket?.connected) return null;
  try {
    return (await socket.timeout(ANSWER_MS).emitWithAck(`subscribe_${topic}`, body)) as Answer;
  } catch {
    return null;
  }
}

/** Be sent no more of a topic, though one goes on being its member. */
export function leave(topic: Topic): void {
  if (socket?.connected) socket.emit(`unsubscribe_${topic}`, {});
}

function want(one: { up(): void }): void {
  clearTimeout(linger);
  stopWaking ??= onWake(() => void connect());
  if (socket?.connected) one.up();
  else void connect();
}

function unwant(): void {
  if (!wanted()) linger = setTimeout(close, LINGER_MS);
}

const wanted = (): boolean => listeners.size + members.size > 0;

/** Subscribe to a run after a place (null: from now on). Answers the stream's place, or why not: then the socket may be begun anew. */
export async function subscribe(runId: string, after: string | null): Promise<{ joined: boolean; position: string | null }> {
  const asked = socket;
  if (!asked?.connected) return { joined: false, position: null };
  try {
    const body = { workflow_id: runId, ...(after === null ? {} : { after }) };
    const answer = (await asked.timeout(ANSWER_MS).emitWithAck("subscribe_workflow", body)) as Answer;
    return { joined: answer.success === true, position: answer.position ?? null };
  } catch {
    // Nobody answers: a socket that seems open and is not.
    if (asked === socket && asked.connected) reconnect();
    return { joined: false, position: null };
  }
}

async function connect(): Promise<void> {
  clearTimeout(retry);
  if (loading || !wanted() || sessionEnded.peek()) return;
  if (socket === null) {
    loading = true;
    try {
      const [{ io }, url] = await Promise.all([import("socket.io-client"), relayUrl()]);
      // How long to wait between attempts is decided here: a refusal would end the library's own.
      socket = io(url, { transports: ["websocket"], withCredentials: true, reconnection: false, timeout: CONNECT_MS, autoConnect: false, forceNew: true });
      listen(socket);
    } catch {
      return fail();
    } finally {
      loading = false;
    }
    if (!wanted()) return close();
  }
  if (socket.connected) return;
  triedAt = Date.now();
  socket.connect();
}

function listen(on: Socket): void {
  on.on("connect", () => {
    failures = 0;
    tell((listener) => listener.up());
  });
  on.on("connect_error", () => fail());
  on.on("disconnect", () => fail());
  const of = (runId: string) => [...(listeners.get(runId) ?? [])];
  on.on("workflow_event", (told: Told & Addressed) => of(told.workflow_id).forEach((one) => one.event(told)));
  on.on("truncated", ({ workflow_id, position }: Addressed & { position: string }) => of(workflow_id).forEach((one) => one.lost(position)));
  on.on("workflow_progress", (document: State | Summary) => of(document.workflow_id).forEach((one) => one.document?.(document)));
  for (const [topic, events] of Object.entries(EVENTS) as [Topic, readonly TopicEvent[]][]) {
    for (const event of events) on.on(event, (data: unknown) => members.get(topic)?.hear(event, data));
  }
}

function fail(): void {
  failures += 1;
  tell((listener) => listener.down());
  clearTimeout(retry);
  // From attempt to attempt: one that took long has waited already.
  const waitMs = Math.max(SHORTEST_MS, triedAt + backoffMs(failures) - Date.now());
  if (wanted()) retry = setTimeout(() => void connect(), waitMs);
}

function reconnect(): void {
  // The listener of `disconnect` goes on from here.
  socket?.disconnect();
}

function close(): void {
  clearTimeout(retry);
  stopWaking?.();
  stopWaking = null;
  socket?.off();
  socket?.disconnect();
  socket = null;
  failures = 0;
}

function tell(what: (one: { up(): void; down(): void }) => void): void {
  for (const one of [...[...listeners.values()].flatMap((all) => [...all]), ...members.values()]) what(one);
}

/** Where the relay is, once the settings are known. Empty: the same origin, behind a proxy. */
function relayUrl(): Promise<string> {
  return new Promise((resolve) => {
    let stop: (() => void) | undefined;
    let found = false;
    stop = effect(() => {
      if (config.value === null || found) return;
      found = true;
      resolve(config.value.relay.url || location.origin);
      stop?.();
    });
    if (found) stop();
  });
}
