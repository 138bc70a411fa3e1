/** The list with one item at another place. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const at = Math.max(0, Math.min(list.length - 1, to));
  const item = list[from];
  return item === undefined ? [...list] : list.toSpliced(from, 1).toSpliced(at, 0, item);
}

/** A row of the list as it stands in the window; of a long list only some are drawn. */
export interface RowPlace {
  index: number;
  top: number;
  bottom: number;
}

/** Where a dragged row belongs: behind all others whose middle is above the pointer. */
export function placeAt(y: number, rows: readonly RowPlace[], dragged: number): number {
  const others = rows.filter((row) => row.index !== dragged).sort((one, other) => one.index - other.index);
  const above = others.findLast((row) => (row.top + row.bottom) / 2 < y);
  // What is behind the dragged row moves up when it is taken out.
  const at = (index: number) => (index > dragged ? index - 1 : index);
  if (above !== undefined) return at(above.index) + 1;
  return others[0] === undefined ? dragged : at(others[0].index);
}
