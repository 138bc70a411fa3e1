// Which runs are selected. Values in, values out.
export interface Selection {
  ids: ReadonlySet<string>;
  /** Where a range begins: what was selected last. */
  from: string | null;
}

export const NOTHING: Selection = { ids: new Set(), from: null };

/** One more, or one less. */
export function toggle(selection: Selection, id: string): Selection {
  const ids = new Set(selection.ids);
  if (!ids.delete(id)) ids.add(id);
  return { ids, from: id };
}

/** All from the one that was selected last to this one; `order` is that of the screen. */
export function extend(selection: Selection, id: string, order: readonly string[]): Selection {
  const from = selection.from === null ? -1 : order.indexOf(selection.from);
  const to = order.indexOf(id);
  if (from < 0 || to < 0) return toggle(selection, id);
  const between = order.slice(Math.min(from, to), Math.max(from, to) + 1);
  return { ids: new Set([...selection.ids, ...between]), from: selection.from };
}

/** Without those that are not in the list any more. The same object when all still are. */
export function within(selection: Selection, order: ReadonlySet<string>): Selection {
  const ids = [...selection.ids].filter((id) => order.has(id));
  return ids.length === selection.ids.size ? selection : { ids: new Set(ids), from: selection.from };
}
