// Keys of the page. A page binds its own while it is shown; typing in a field is never a command.
export interface Binding {
  /** `s`, `?`, `Enter`, `g r` (one after the other), `mod+k` (Ctrl, or Command). */
  keys: string;
  label: string;
  act: () => void;
  /** What it belongs to, for the list of all keys. */
  group: "Everywhere" | "List" | "Run" | "Log" | "Start" | "Chat";
}

const bound = new Set<readonly Binding[]>();
let pending = "";
let forget = 0;

/** Bind keys until the function that is returned is called; what is bound later goes first. */
export function bindKeys(bindings: readonly Binding[]): () => void {
  bound.add(bindings);
  return () => bound.delete(bindings);
}

/** All that is bound now, for the list of keys and the command palette. */
export function allBindings(): Binding[] {
  return [...bound].flat();
}

export function onKeyDown(event: KeyboardEvent): void {
  const target = event.target as HTMLElement | null;
  const typing = target !== null && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
  const mod = event.ctrlKey || event.metaKey;
  if (event.altKey || event.defaultPrevented || (typing && !mod)) return;
  // What stands above the page has its own keys: nothing may happen behind it.
  if (document.querySelector("dialog[open]")) return;
  // Enter and Space belong to the button or link that has the focus.
  if ((event.key === "Enter" || event.key === " ") && target?.closest("a, button, summary")) return;
  const key = `${mod ? "mod+" : ""}${event.key.length === 1 && mod ? event.key.toLowerCase() : event.key}`;
  const after = pending === "" ? key : `${pending} ${key}`;
  const all = [...bound].reverse().flat();
  const hit = all.find((one) => one.keys === after) ?? all.find((one) => one.keys === key);
  clearTimeout(forget);
  pending = "";
  if (hit) {
    event.preventDefault();
    hit.act();
  } else if (all.some((one) => one.keys.startsWith(`${key} `))) {
    pending = key;
    forget = window.setTimeout(() => (pending = ""), 1000);
  }
}
