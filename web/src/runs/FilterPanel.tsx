import { useEffect, useId, useRef, useState } from "preact/hooks";

import { get } from "../api/client";
import { SPANS, type Filters } from "./filters";

export interface FilterPanelProps {
  filters: Filters;
  /** Hosts and people that were seen in the list, to choose from. */
  hosts: readonly string[];
  people: readonly string[];
  onApply: (filters: Filters) => void;
  close: () => void;
}

/** Template, target, who and when. Takes effect when it is applied; Escape and a click beside it leave things as they are. */
export function FilterPanel({ filters, hosts, people, onApply, close }: FilterPanelProps) {
  const [draft, setDraft] = useState(filters);
  const [templates, setTemplates] = useState<readonly string[]>([]);
  const root = useRef<HTMLFormElement>(null);
  const id = useId();
  useEffect(() => {
    const abort = new AbortController();
    // Only suggestions: one may type a template that is not among them, or that was never read.
    get("/workflow/templates", { query: { limit: 200 }, signal: abort.signal }).then(
      (answer) => setTemplates(answer.templates.map((template) => template.template_id)),
      () => {},
    );
    root.current?.querySelector<HTMLElement>("input, select")?.focus();
    return () => abort.abort();
  }, []);
  useEffect(() => {
    const away = (event: PointerEvent) => { if (!root.current?.parentElement?.contains(event.target as Node)) close(); };
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [close]);
  const set = (part: Partial<Filters>) => setDraft({ ...draft, ...part });
  const between = draft.until !== "" || (draft.since !== "" && !SPANS.some(({ span }) => span === draft.since));
  const [custom, setCustom] = useState(between);
  const text = (name: "template" | "host" | "by", label: string, placeholder: string, offered: readonly string[]) => (
    <div class="field">
      <label for={`${id}${name}`}>{label}</label>
      <input
        id={`${id}${name}`} type="text" list={`${id}${name}s`} value={draft[name]} placeholder={placeholder} autocomplete="off" spellcheck={false}
        onInput={(event) => set({ [name]: event.currentTarget.value })}
      />
      <datalist id={`${id}${name}s`}>{offered.map((one) => <option key={one} value={one} />)}</datalist>
    </div>
  );
  return (
    <form
      class="filter-panel" ref={root} aria-label="Filters"
      onSubmit={(event) => { event.preventDefault(); onApply(draft); close(); }}
      onKeyDown={(event) => { if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); close(); } }}
    >
      {text("template", "Template", "any", templates)}
      {text("host", "Target host", "10.1.2.3 or root@10.1.2.3:22", hosts)}
      {text("by", "Started by", "anyone", people)}
      <div class="field">
        <label for={`${id}when`}>Started</label>
        <select
          id={`${id}when`} value={custom ? "between" : draft.since}
          onChange={(event) => {
            const chosen = event.currentTarget.value;
            setCustom(chosen === "between");
            set(chosen === "between" ? { since: "", until: "" } : { since: chosen, until: "" });
          }}
        >
          <option value="">at any time</option>
          {SPANS.map(({ span, words }) => <option key={span} value={span}>in {words}</option>)}
          <option value="between">between…</option>
        </select>
      </div>
      {custom && (
        <div class="filter-panel-between">
          <div class="field">
            <label for={`${id}since`}>From</label>
            <input id={`${id}since`} type="datetime-local" value={draft.since} onInput={(event) => set({ since: event.currentTarget.value.slice(0, 16) })} />
          </div>
          <div class="field">
            <label for={`${id}until`}>Until</label>
            <input id={`${id}until`} type="datetime-local" value={draft.until} onInput={(event) => set({ until: event.currentTarget.value.slice(0, 16) })} />
          </div>
        </div>
      )}
      <div class="filter-panel-actions">
        <button type="button" class="button plain" onClick={() => { onApply({ ...filters, template: "", host: "", by: "", since: "", until: "" }); close(); }}>Clear</button>
        <button type="submit" class="button primary">Apply</button>
      </div>
    </form>
  );
}
