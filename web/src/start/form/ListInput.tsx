import { useRef } from "preact/hooks";

import type { Json } from "../../api/types";
import { useForm, type InputProps } from "./context";
import { Field } from "./Field";
import { ObjectFields } from "./ObjectFields";
import { child } from "./pointer";
import { blank, isObject, same, viewOf, type Schema } from "./schema";

/** A list: one line an item where items are texts or numbers, else a card each. */
export function ListInput({ id, schema, value, onChange, at, disabled, invalid, describedBy }: InputProps & { value: Json[] | undefined }) {
  const { root, faults, showAll, place } = useForm();
  const list = useRef<HTMLDivElement>(null);
  const items = schema.items ?? {};
  const view = viewOf(items, root);
  const fallback = Array.isArray(schema.default) ? schema.default : [];
  const shown = value ?? fallback;
  const simple = view.kind === "text" || view.kind === "number" || view.kind === "integer";
  const full = shown.length >= (schema.maxItems ?? Infinity);

  const set = (next: Json[]) => onChange(same(next, fallback) && value === undefined ? undefined : next.length === 0 && fallback.length === 0 ? undefined : next);
  const focusItem = (index: number) =>
    requestAnimationFrame(() => list.current?.querySelectorAll<HTMLElement>(":scope > .form-item")[index]?.querySelector<HTMLElement>("input, textarea, select")?.focus());
  const add = (index = shown.length) => {
    if (full) return;
    set(shown.toSpliced(index, 0, blank(items, root)));
    focusItem(index);
  };
  const remove = (index: number) => {
    set(shown.toSpliced(index, 1));
    if (shown.length > 1) focusItem(Math.max(0, index - 1));
  };
  const put = (index: number, next: Json) => set(shown.with(index, next));

  return (
    <div class="form-list" ref={list}>
      {shown.map((item, index) =>
        simple ? (
          <div key={index} class="form-item form-item-line" data-place={place + child(at, index)}>
            <span class="form-number" aria-hidden="true">{index + 1}</span>
            <input
              id={index === 0 ? id : undefined} type="text" value={textOf(item)} disabled={disabled} aria-label={`Item ${index + 1}`} spellcheck={false} autocomplete="off" autocapitalize="off"
              aria-invalid={(showAll && faults[child(at, index)] !== undefined) || (invalid && index === 0) || undefined} aria-describedby={describedBy}
              onInput={(event) => put(index, itemOf(event.currentTarget.value, view.kind))}
              onKeyDown={(event) => {
                if (event.key === "Enter" && !event.isComposing && !event.ctrlKey && !event.metaKey) { event.preventDefault(); add(index + 1); }
                if (event.key === "Backspace" && textOf(item) === "") { event.preventDefault(); remove(index); }
              }}
              onPaste={(event) => {
                const lines = event.clipboardData?.getData("text/plain").split(/\r?\n/).filter((line) => line !== "") ?? [];
                if (lines.length < 2 || textOf(item) !== "") return;
                event.preventDefault();
                set(shown.toSpliced(index, 1, ...lines.map((line) => itemOf(line, view.kind))));
              }}
            />
            <button type="button" class="button plain icon" disabled={disabled} aria-label={`Remove item ${index + 1}`} onClick={() => remove(index)}>×</button>
            {showAll && faults[child(at, index)] !== undefined && <p class="fault" role="alert">{faults[child(at, index)]}</p>}
          </div>
        ) : (
          <div key={index} class="form-item form-card" data-place={place + child(at, index)}>
            <div class="form-card-head">
              <span class="form-card-title">{titleOf(item) ?? `${index + 1}`}</span>
              <button type="button" class="button plain" disabled={disabled || full} onClick={() => { set(shown.toSpliced(index + 1, 0, item)); focusItem(index + 1); }}>Duplicate</button>
              <button type="button" class="button plain icon" disabled={disabled} aria-label={`Remove item ${index + 1}`} onClick={() => remove(index)}>×</button>
            </div>
            <ItemFields schema={items} value={item} onChange={(next) => put(index, next ?? blank(items, root))} at={child(at, index)} />
          </div>
        ),
      )}
      <div class="form-list-foot">
        <button type="button" class="button" id={shown.length === 0 || !simple ? id : undefined} disabled={disabled || full} onClick={() => add()}>Add</button>
        {value !== undefined && fallback.length > 0 && <button type="button" class="button plain" disabled={disabled} onClick={() => onChange(undefined)}>Use the default</button>}
        {full && schema.maxItems !== undefined && <span class="hint">At most {schema.maxItems}.</span>}
      </div>
    </div>
  );
}

/** What stands in an item's card. */
function ItemFields({ schema, value, onChange, at }: { schema: Schema; value: Json; onChange: (value: Json | undefined) => void; at: string }) {
  const { root } = useForm();
  const view = viewOf(schema, root);
  if (view.kind === "object" && isObject(value)) return <ObjectFields schema={view.schema} value={value} onChange={onChange} at={at} />;
  return <Field name="value" schema={schema} required={false} value={value} onChange={onChange} at={at} />;
}

const textOf = (item: Json): string => (typeof item === "string" ? item : item === null ? "" : JSON.stringify(item));

function itemOf(text: string, kind: string): Json {
  return kind !== "text" && text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** An item is called by its name, where it has one. */
function titleOf(item: Json): string | null {
  const name = isObject(item) ? (item.name ?? item.key ?? item.label) : null;
  return typeof name === "string" && name !== "" ? name : null;
}
