// How keys are written for people.
const NAMES: Record<string, string> = {
  ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Escape: "Esc", " ": "Space", PageUp: "Page up", PageDown: "Page down",
};

const onApple = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);

/** `mod+k` is `Ctrl`, `K`, or `⌘`, `K` on a Mac; `g r` is `g`, `r`, one after the other. */
export function keysShown(keys: string, apple = onApple): string[] {
  return keys.split(keys === " " ? "" : " ").flatMap((key) => {
    if (key.startsWith("mod+")) return [apple ? "⌘" : "Ctrl", key.slice(4).toUpperCase()];
    return [NAMES[key] ?? key];
  });
}

/** Each with its key, once: of those with the same key the one that was bound last, which is the one that acts. */
export function eachKeyOnce<T extends { keys: string }>(bindings: readonly T[]): T[] {
  const last = new Map<string, T>();
  for (const one of bindings) last.set(one.keys, one);
  return bindings.filter((one) => last.get(one.keys) === one);
}
