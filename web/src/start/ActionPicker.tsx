import { useEffect, useId, useRef, useState } from "preact/hooks";

import type { Action } from "../api/types";
import { counted } from "../format/counts";
import { Dialog } from "../parts/Dialog";
import { me, may } from "../session";
import { Marked } from "./form/Marked";
import { found } from "./search";

/** Search the actions of the server and add one as a step. It stays open for the next when Ctrl or Command is held. */
export function ActionPicker({ actions, pick, close }: { actions: readonly Action[]; pick: (action: Action) => void; close: () => void }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [added, setAdded] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const id = useId();
  const shown = found(actions, text);
  const here = Math.min(at, shown.length - 1);
  useEffect(() => { list.current?.children[here]?.scrollIntoView({ block: "nearest" }); }, [here, text]);

  const choose = (action: Action | undefined, more: boolean) => {
    if (action === undefined || !may(action.role)) return;
    pick(action);
    setAdded(added + 1);
    if (!more) close();
  };
  return (
    <Dialog title="Add a step" close={close} wide>
      <input
        type="text" value={text} placeholder="Search actions" aria-label="Search actions" role="combobox" aria-expanded="true" aria-controls={id} aria-activedescendant={`${id}-${here}`} autocomplete="off" spellcheck={false}
        onInput={(event) => { setText(event.currentTarget.value); setAt(0); }}
        onKeyDown={(event) => {
          const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
          if (by !== undefined) { event.preventDefault(); setAt(Math.max(0, Math.min(shown.length - 1, here + by))); }
          if (event.key === "Enter") { event.preventDefault(); event.stopPropagation(); choose(shown[here], event.ctrlKey || event.metaKey); }
        }}
      />
      <ul class="start-actions" id={id} role="listbox" aria-label="Actions" ref={list}>
        {shown.map((action, index) => (
          <li
            key={action.name} id={`${id}-${index}`} role="option" aria-selected={index === here} aria-disabled={!may(action.role) || undefined} class="start-action"
            onPointerMove={() => { if (index !== here) setAt(index); }} onClick={(event) => choose(action, event.ctrlKey || event.metaKey)}
          >
            <span class="start-action-head">
              <code>{action.name}</code>
              {action.needs_host && <span class="tag">host</span>}
              {action.accepts_signal && <span class="tag">waits for an answer</span>}
            </span>
            <span class="muted small"><Marked text={action.summary} /></span>
            {!may(action.role) && <span class="small tone-amber">Needs the role {action.role}; yours is {me.value?.role ?? "not known"}.</span>}
          </li>
        ))}
        {shown.length === 0 && <li class="muted small start-action-none">No action is called so.</li>}
      </ul>
      <div class="start-actions-foot">
        <span class="muted small" role="status">{added > 0 ? `${counted(added, "step")} added` : "Enter adds it; with Ctrl the list stays open."}</span>
        <button type="button" class="button" onClick={close}>{added > 0 ? "Done" : "Cancel"}</button>
      </div>
    </Dialog>
  );
}
