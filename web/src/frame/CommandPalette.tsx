import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";

import { allBindings } from "../keys";
import { messageOf } from "../parts/Failed";
import { StatusMark } from "../parts/StatusMark";
import { now } from "../now";
import { ago } from "../format/times";
import { go, paths } from "../router";
import { chooseScheme, scheme, SCHEMES } from "../theme/scheme";
import { shownRunStatus } from "../theme/statuses";
import { paletteOpen } from "./frame-keys";
import { CommandIcon, SearchIcon } from "./icons";
import { eachKeyOnce, keysShown } from "./keys-shown";
import { knownRuns, searchFault, searching, searchRuns, stopSearch } from "./run-search";
import { placeOf, sections, type Command, type Entry } from "./palette-entries";
import "./palette.css";

/** Search and commands, by the keyboard alone: type, arrows, Enter. */
export function CommandPalette() {
  return paletteOpen.value ? <Palette /> : null;
}

const NOT_HERE = ["mod+k", "/"];

function commands(): Command[] {
  const bound = eachKeyOnce(allBindings())
    .filter((one) => !NOT_HERE.includes(one.keys))
    .map(({ label, keys, group, act }): Command => ({ label, keys, group, act }));
  const own = bound.filter((one) => one.group !== "Everywhere");
  const everywhere = bound.filter((one) => one.group === "Everywhere");
  const schemes = SCHEMES.filter((one) => one.scheme !== scheme.peek()).map((one): Command => ({
    label: `Appearance: ${one.word.toLowerCase()}`, keys: null, group: "Appearance", act: () => chooseScheme(one.scheme),
  }));
  return [...own, ...everywhere, ...schemes];
}

function Palette() {
  const dialog = useRef<HTMLDialogElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const [typed, setTyped] = useState("");
  const [chosen, setChosen] = useState<{ id: string; at: number } | null>(null);
  // All down to the lowest entry that was chosen for what is typed: Enter must do what stood there when it was looked at.
  const held = useRef<readonly string[]>([]);
  // What the page offers when the palette is opened: it does not change while it stands above the page.
  const [offered] = useState(commands);
  const id = useId();

  useEffect(() => {
    dialog.current?.showModal();
    return stopSearch;
  }, []);
  useEffect(() => {
    // The key that opened it closes it: the page's own keys rest while a dialog is open.
    const toggle = (event: KeyboardEvent) => {
      if (event.altKey || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k") return;
      event.preventDefault();
      close();
    };
    document.addEventListener("keydown", toggle);
    return () => document.removeEventListener("keydown", toggle);
  }, []);
  useEffect(() => searchRuns(typed), [typed]);

  const parts = sections(typed, offered, knownRuns.value, held.current);
  const entries = parts.flatMap((part) => part.entries);
  const at = placeOf(chosen, entries);
  const active = entries[at] ?? null;
  useLayoutEffect(() => { held.current = entries.slice(0, Math.max(at + 1, held.current.length)).map((entry) => entry.id); });

  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [active?.id]);

  const close = () => {
    // By hand: the focus is back where it was before a command acts on it.
    dialog.current?.close();
    paletteOpen.value = false;
  };
  const perform = (entry: Entry) => {
    close();
    if (entry.kind === "run") go(paths.run(entry.run.workflow_id));
    else entry.command.act();
  };
  const choose = (index: number) => {
    const entry = entries[index];
    if (entry) setChosen({ id: entry.id, at: index });
  };
  const move = (by: number) => choose((at + by + entries.length) % entries.length);
  const type = (text: string) => {
    held.current = [];
    setChosen(null);
    setTyped(text);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const act = {
      ArrowDown: () => move(1), ArrowUp: () => move(-1), PageDown: () => choose(Math.min(entries.length - 1, at + 8)), PageUp: () => choose(Math.max(0, at - 8)),
      Enter: () => active && perform(active),
    }[event.key];
    if (!act || event.isComposing) return;
    event.preventDefault();
    act();
  };

  return (
    <dialog
      ref={dialog} class="palette" aria-label="Search and commands"
      onCancel={(event) => { event.preventDefault(); close(); }}
      onMouseDown={(event) => { if (event.target === dialog.current) close(); }}
    >
      <div class="palette-inner">
        <div class="palette-field">
          <SearchIcon />
          <input
            type="text" role="combobox" aria-expanded="true" aria-controls={`${id}-list`} aria-autocomplete="list" aria-label="Command, run, host or id"
            aria-activedescendant={active ? `${id}-${at}` : undefined} placeholder="Command, run, host or id" autocomplete="off" autocapitalize="off"
            spellcheck={false} enterkeyhint="go" value={typed} onInput={(event) => type(event.currentTarget.value)} onKeyDown={onKeyDown}
          />
          <button type="button" class="button plain palette-close" onClick={close}>Close</button>
        </div>
        <div class="palette-list" id={`${id}-list`} role="listbox" aria-label="What there is" ref={list}>
          {parts.map((part) => (
            <div key={part.title} role="group" aria-label={part.title}>
              <div class="palette-title" aria-hidden="true">{part.title}</div>
              {part.entries.map((entry) => {
                const index = entries.indexOf(entry);
                return (
                  <div
                    key={entry.id} id={`${id}-${index}`} role="option" aria-selected={index === at} class="palette-entry"
                    onMouseMove={() => index !== at && choose(index)} onClick={() => perform(entry)}
                  >
                    <EntryShown entry={entry} />
                  </div>
                );
              })}
            </div>
          ))}
          {entries.length === 0 && !searching.value && <p class="palette-none">Nothing is called “{typed.trim()}”.</p>}
        </div>
        <p class="palette-foot" role="status">
          {searchFault.value !== null ? `Only what is known here: ${messageOf(searchFault.value)}`
            : searching.value && entries.length === 0 ? "Searching runs" : countSaid(entries.length)}
          <span class="palette-hints" aria-hidden="true"><kbd>↑</kbd><kbd>↓</kbd> choose <kbd>Enter</kbd> do <kbd>Esc</kbd> close</span>
        </p>
      </div>
    </dialog>
  );
}

const countSaid = (count: number): string => (count === 1 ? "1 entry" : `${count} entries`);

function EntryShown({ entry }: { entry: Entry }) {
  if (entry.kind === "command") {
    const { label, keys } = entry.command;
    return (
      <>
        <CommandIcon />
        <span class="palette-label truncate">{lit(label, entry.at)}</span>
        {keys && <span class="palette-keys" aria-hidden="true">{keysShown(keys).map((key, index) => <kbd key={index}>{key}</kbd>)}</span>}
      </>
    );
  }
  const { run } = entry;
  return (
    <>
      <StatusMark status={shownRunStatus(run)} percent={run.percent} />
      <span class="palette-label truncate">{run.name || run.workflow_id}<span class="palette-id mono">{run.name ? run.workflow_id : ""}</span></span>
      {run.host && <span class="palette-host mono truncate">{run.host}</span>}
      <span class="palette-when">{ago(run.start_time, now.value)}</span>
    </>
  );
}

/** The letters that were found, stronger than the others. */
function lit(text: string, at: readonly number[]) {
  if (at.length === 0) return text;
  const places = new Set(at);
  return [...text].map((letter, index) => (places.has(index) ? <b key={index}>{letter}</b> : letter));
}
