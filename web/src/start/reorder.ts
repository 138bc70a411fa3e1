/** The list with one item at another place. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const at = Math.max(0, Math.min(list.length - 1, to));
  const item = list[from];
  return item === undefined ? [...list] : list.toSpliced(from, 1).toSpliced(at, 0, item);
}

/** Where a dragged row belongs: behind all others whose middle is above the pointer. `rows` in order, with the dragged one. */
export function placeAt(y: number, rows: readonly { top: number; bottom: number }[], dragged: number): number {
  return rows.filter((row, index) => index !== dragged && (row.top + row.bottom) / 2 < y).length;
}
