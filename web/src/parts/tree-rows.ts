// A JSON value as the rows of a tree.
import type { Json } from "../api/types";

export interface TreeRow {
  /** Where the value stands, such as `$.items[3].name`; also its identity. */
  path: string;
  /** The name in its object or the place in its list; null for the root. */
  name: string | null;
  depth: number;
  value: Json;
  kind: "object" | "list" | "text" | "number" | "boolean" | "null";
  /** How many values it holds; 0 for plain ones. */
  size: number;
  open: boolean;
}

/** More children than these of one value are not listed: the raw JSON has them. */
export const MAX_CHILDREN = 10_000;
const MAX_ROWS = 50_000;

export function kindOf(value: Json): TreeRow["kind"] {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  switch (typeof value) {
    case "object": return "object";
    case "number": return "number";
    case "boolean": return "boolean";
    default: return "text";
  }
}

export function pathTo(parent: string, name: string | number): string {
  if (typeof name === "number") return `${parent}[${name}]`;
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `${parent}.${name}` : `${parent}[${JSON.stringify(name)}]`;
}

function children(value: Json): [string | number, Json][] {
  if (Array.isArray(value)) return value.slice(0, MAX_CHILDREN).map((one, at) => [at, one]);
  if (value !== null && typeof value === "object") return Object.entries(value).slice(0, MAX_CHILDREN);
  return [];
}

const sizeOf = (value: Json): number => (Array.isArray(value) ? value.length : value !== null && typeof value === "object" ? Object.keys(value).length : 0);

/** The rows that are to be seen. `isOpen` says which of those that hold others are open; the root's children are the first rows. */
export function treeRows(root: Json, isOpen: (path: string, depth: number, size: number) => boolean): TreeRow[] {
  const rows: TreeRow[] = [];
  const walk = (value: Json, name: string | null, path: string, depth: number) => {
    if (rows.length >= MAX_ROWS) return;
    const size = sizeOf(value);
    const open = size > 0 && isOpen(path, depth, size);
    rows.push({ path, name, depth, value, kind: kindOf(value), size, open });
    if (open) for (const [child, one] of children(value)) walk(one, String(child), pathTo(path, child), depth + 1);
  };
  if (sizeOf(root) === 0) walk(root, null, "$", 0);
  else for (const [child, one] of children(root)) walk(one, String(child), pathTo("$", child), 0);
  return rows;
}

/** The paths of what holds the text in its name or its plain value, and of all around them. */
export function matching(root: Json, needle: string, limit = 2000): { hits: Set<string>; around: Set<string> } {
  const wanted = needle.toLowerCase();
  const hits = new Set<string>();
  const around = new Set<string>();
  const walk = (value: Json, name: string, path: string, above: string[]) => {
    if (hits.size >= limit) return;
    const plain = value === null || typeof value !== "object";
    if (name.toLowerCase().includes(wanted) || (plain && String(value).toLowerCase().includes(wanted))) {
      hits.add(path);
      for (const one of above) around.add(one);
    }
    const inner = [...above, path];
    for (const [child, one] of children(value)) walk(one, String(child), pathTo(path, child), inner);
  };
  for (const [child, one] of children(root)) walk(one, String(child), pathTo("$", child), []);
  return { hits, around };
}

/** How many rows a value has when all of it is open, counted up to a bound. */
export function rowCount(root: Json, bound: number): number {
  let count = 0;
  const walk = (value: Json) => {
    for (const [, one] of children(value)) {
      if (count >= bound) return;
      count += 1;
      walk(one);
    }
  };
  walk(root);
  return count;
}

/** One line for what is closed: `{host, user, …}`, `[12 values]`. */
export function preview(row: Pick<TreeRow, "value" | "kind" | "size">): string {
  if (row.kind === "list") return row.size === 0 ? "empty list" : row.size === 1 ? "[1 value]" : `[${row.size} values]`;
  if (row.size === 0) return "empty";
  const names = Object.keys(row.value as object).slice(0, 4).map((name) => (name.length > 24 ? `${name.slice(0, 23)}…` : name));
  return `{${names.join(", ")}${row.size > 4 ? ", …" : ""}}`;
}
