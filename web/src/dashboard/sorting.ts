// Rows of a table in the order of one of its columns.
export interface Column<T> {
  name: string;
  word: string;
  /** What rows are ordered by; null comes last, whichever way. */
  value: (row: T) => number | string | null;
  /** Larger first, when it is first chosen. */
  falling: boolean;
}

export interface Order {
  column: string;
  falling: boolean;
}

/** The order after a press on a column's head: that column, and pressed again the other way round. */
export function pressed<T>(order: Order, column: Column<T>): Order {
  return order.column === column.name ? { column: column.name, falling: !order.falling } : { column: column.name, falling: column.falling };
}

/** The rows in this order; equal ones stay as they were. */
export function sorted<T>(rows: readonly T[], columns: readonly Column<T>[], order: Order): T[] {
  const column = columns.find((one) => one.name === order.column);
  if (column === undefined) return [...rows];
  const way = order.falling ? -1 : 1;
  return [...rows].sort((one, other) => {
    const a = column.value(one);
    const b = column.value(other);
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return way * (typeof a === "string" || typeof b === "string" ? String(a).localeCompare(String(b)) : a - b);
  });
}

/** `-failure_rate` in the address is falling; null or a column that there is not is the usual order. */
export function orderOf<T>(named: string | null, columns: readonly Column<T>[], usual: Order): Order {
  const column = named?.replace(/^-/, "");
  return column !== undefined && columns.some((one) => one.name === column) ? { column, falling: named!.startsWith("-") } : usual;
}

export const orderInAddress = (order: Order, usual: Order): string | null =>
  order.column === usual.column && order.falling === usual.falling ? null : `${order.falling ? "-" : ""}${order.column}`;
