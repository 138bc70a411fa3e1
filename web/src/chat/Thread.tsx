import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { Problem } from "../api/client";
import { bindKeys } from "../keys";
import { setTitle } from "../frame/title";
import { Boundary } from "../parts/Boundary";
import { Failed, messageOf } from "../parts/Failed";
import { clockTime } from "../format/times";
import { NEW_CHAT, paths, query, setQuery } from "../router";
import { may } from "../session";
import { changeConversation } from "./api";
import { Answer } from "./Answer";
import type { Asked } from "./asked";
import { Battle } from "./Battle";
import { coarse } from "./coarse";
import { Composer } from "./Composer";
import { ConversationHead } from "./ConversationHead";
import { watchConversation } from "./conversation";
import { Ending } from "./Ending";
import { DownIcon } from "./icons";
import { Older } from "./Older";
import { Question } from "./Question";
import { branchOf, treeOf, type Place, type Tree } from "./tree";
import type { ConversationShown, Models } from "./types";
import { useFollow } from "./useFollow";
import { sayIn, useSaying } from "./useSaying";

export interface ThreadProps {
  id: string;
  models: Models | null;
  asked: Asked;
  choose: (asked: Asked) => void;
}

/** A conversation: the branch that is read, from its first message to its last, and where one goes on. */
export function Thread({ id, models, asked, choose }: ThreadProps) {
  const [feed] = useState(() => watchConversation(id));
  useEffect(() => feed.close, []);
  const shown = feed.shown.value;
  const error = feed.error.value;
  useEffect(() => { if (shown !== null) setTitle(shown.title, "Chat"); }, [shown?.title]);
  const [through, show] = useThrough(shown);
  const saying = useSaying(feed, show);
  const [sending, setSending] = useState<string | null>(null);
  const [editing, setEditing] = useState<string | null>(null);
  const content = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const tree = useMemo(() => treeOf(shown?.messages ?? []), [shown?.messages]);
  const places = useMemo(() => branchOf(tree, through), [tree, through]);
  const end = places.at(-1);
  const last = end?.message ?? null;
  const inHand = end === undefined ? null : [end.message, ...end.battle].find((one) => one.status === "writing") ?? null;
  const writing = inHand !== null;
  const follow = useFollow(content, shown === null ? "" : id, writing || sending !== null);
  const mine = places.findLast((place) => place.message.role === "user")?.message.id ?? null;
  const edit = (id: string | null) => {
    setEditing(id);
    if (id === null && !coarse.matches) field.current?.focus({ preventScroll: true });
  };
  useThreadKeys({ places, saying, field, editLast: () => setEditing(mine) });

  if (shown === null) {
    if (error === null) return <Skeleton />;
    if (error instanceof Problem && error.status === 404) return <NotThere />;
    return <><h1 class="sr-only">Conversation</h1><Failed error={error} retry={() => void feed.refresh()} /></>;
  }
  const sayFrom = async (parent: string | null, text: string) => {
    const next = await sayIn(feed.shown.peek(), parent, text, asked);
    feed.accept(next);
    show(next.leaf!, false);
    follow.toEnd();
  };
  const { settings } = shown;
  // They are its first message, which may be among the older ones.
  const began = places.find((place) => place.message.role === "system")?.message.text ?? (shown.older === null ? "" : null);
  const instructions = settings.system ?? began ?? "";
  return (
    <>
      <ConversationHead conversation={shown} refresh={() => void feed.refresh()} />
      {error !== null && <p class="thread-stale" role="status">{messageOf(error)} What is shown is as of {clockTime(feed.asOf.value ?? 0)}.</p>}
      <div class="thread-content" ref={content}>
        {shown.older !== null && <Older read={feed.readOlder} />}
        {instructions !== "" && <details class="instructions"><summary>Instructions</summary><p>{instructions}</p></details>}
        {places.map((place, at) => (
          <Boundary key={place.battle.length > 0 ? place.message.battle! : place.message.id} what="This message">
            <Said place={place} tree={tree} last={at === places.length - 1} models={models} saying={saying} show={show} edit={(text) => sayFrom(place.message.parent, text)} editing={editing === place.message.id} setEditing={(on) => edit(on ? place.message.id : null)} />
          </Boundary>
        ))}
        {sending !== null && <div class="question question-pending" role="status"><div class="question-text">{sending}</div><p class="muted small">Sending</p></div>}
      </div>
      <Ending id={id} />
      <div class="thread-foot">
        {!follow.follows && (
          <button type="button" class="button thread-to-end" onClick={follow.toEnd}><DownIcon />{follow.news && writing ? "New text below" : "To the end"}</button>
        )}
        <Composer
          draft={id} models={models} asked={asked} choose={choose} field={field} sending={(text) => { setSending(text); if (text !== null) follow.toEnd(); }}
          send={(text) => sayFrom(last?.id ?? null, text)} hold={inHand === null ? null : saying.asked.has(inHand.id) ? "Stopping" : "Being written"}
          stop={inHand === null || saying.asked.has(inHand.id) ? null : () => saying.stop(inHand)} editLast={mine === null ? null : () => setEditing(mine)}
          settings={settings} began={began} keep={async (next) => { await changeConversation(id, { settings: next }); await feed.refresh(); }}
        />
      </div>
    </>
  );
}

interface SaidProps {
  place: Place;
  tree: Tree;
  last: boolean;
  models: Models | null;
  saying: ReturnType<typeof useSaying>;
  show: (leaf: string) => void;
  edit: (text: string) => Promise<void>;
  editing: boolean;
  setEditing: (on: boolean) => void;
}

function Said({ place, tree, last, models, saying, show, edit, editing, setEditing }: SaidProps) {
  // Instructions stand above all.
  if (place.message.role === "system") return null;
  if (place.message.role === "user") return <Question place={place} tree={tree} show={show} edit={edit} editing={editing} setEditing={setEditing} />;
  if (place.battle.length > 0) return <Battle place={place} tree={tree} show={show} acts={saying} hasKeys={last} vote={saying.vote} />;
  return <Answer place={place} tree={tree} show={show} models={models?.models ?? []} acts={saying} />;
}

/**
 * The message through which the branch goes that is read, and how to read another. It is in the address, and the server is told, so
 * that other devices begin there; who reads already is not moved, but to what was said just now.
 */
function useThrough(shown: ConversationShown | null): [string | null, (leaf: string, chosen?: boolean) => void] {
  const [through, setThrough] = useState<string | null>(query.peek().get("at") ?? shown?.leaf ?? null);
  const known = useRef<ReadonlySet<string> | null>(shown && new Set(shown.messages.map((one) => one.id)));
  useLayoutEffect(() => {
    if (shown === null) return;
    const before = known.current;
    known.current = new Set(shown.messages.map((one) => one.id));
    if (shown.leaf !== null && shown.leaf !== through && (before === null ? query.peek().get("at") === null : !before.has(shown.leaf))) {
      setThrough(shown.leaf);
      if (before !== null) setQuery({ at: null });
    }
  }, [shown]);
  const show = (leaf: string, chosen = true) => {
    setThrough(leaf);
    setQuery({ at: chosen ? leaf : null });
    // Where it cannot be kept, the address still has it.
    if (chosen && shown !== null && may("operator")) changeConversation(shown.id, { leaf }).catch(() => undefined);
  };
  return [through, show];
}

function useThreadKeys(given: { places: readonly Place[]; saying: ReturnType<typeof useSaying>; field: RefObject<HTMLTextAreaElement | null>; editLast: () => void }): void {
  const latest = useRef(given);
  latest.current = given;
  useEffect(() => {
    const lastAnswer = () => {
      const place = latest.current.places.at(-1);
      return place?.message.role === "assistant" && may("operator") ? place : null;
    };
    const stop = () => {
      const place = lastAnswer();
      const one = [place?.message, ...(place?.battle ?? [])].find((message) => message?.status === "writing");
      if (one) latest.current.saying.stop(one);
    };
    return bindKeys([
      { keys: "w", label: "Write a message", group: "Chat", act: () => latest.current.field.current?.focus() },
      { keys: "s", label: "Stop what is being written", group: "Chat", act: stop },
      { keys: "Escape", label: "Stop what is being written", group: "Chat", act: stop },
      { keys: "e", label: "Say in other words what you said last", group: "Chat", act: () => { if (may("operator")) latest.current.editLast(); } },
      { keys: "r", label: "Another answer", group: "Chat", act: () => { const place = lastAnswer(); if (place && place.battle.length === 0 && place.message.status !== "writing") latest.current.saying.regenerate(place.message, null); } },
    ]);
  }, []);
}

function NotThere() {
  return (
    <div class="empty">
      <h1>There is no such conversation</h1>
      <p>It may have been deleted. <a class="link" href={paths.chat()}>See all conversations</a>, or <a class="link" href={paths.chat(NEW_CHAT)}>begin a new one</a>.</p>
    </div>
  );
}

function Skeleton() {
  return (
    <div class="thread-content" aria-busy="true" aria-label="Reading the conversation">
      <h1 class="sr-only">Conversation</h1>
      <span class="skeleton thread-skeleton-mine" />
      {[92, 84, 60].map((width) => <span key={width} class="skeleton" style={{ width: `${width}%` }} />)}
    </div>
  );
}
