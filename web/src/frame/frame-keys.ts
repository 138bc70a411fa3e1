// The keys that work on every page, and what they open.
import { signal } from "@preact/signals";

import { bindKeys, type Binding } from "../keys";
import { go, paths } from "../router";

export const paletteOpen = signal(false);
export const keysOpen = signal(false);

export const openPalette = () => { paletteOpen.value = true; };
const togglePalette = () => { paletteOpen.value = !paletteOpen.value; };
export const openKeys = () => { keysOpen.value = true; };

const BINDINGS: readonly Binding[] = [
  { keys: "mod+k", label: "Search and commands", act: togglePalette, group: "Everywhere" },
  // Lists bind it to their own search, which then goes first.
  { keys: "/", label: "Search", act: openPalette, group: "Everywhere" },
  { keys: "?", label: "All keys", act: openKeys, group: "Everywhere" },
  { keys: "g r", label: "Go to runs", act: () => go(paths.runs()), group: "Everywhere" },
  { keys: "g s", label: "Go to start", act: () => go(paths.start()), group: "Everywhere" },
  { keys: "g c", label: "Go to chat", act: () => go(paths.chat()), group: "Everywhere" },
  { keys: "g d", label: "Go to dashboard", act: () => go(paths.dashboard()), group: "Everywhere" },
  { keys: "g w", label: "Go to workers", act: () => go(paths.workers()), group: "Everywhere" },
  { keys: "g a", label: "Go to alerts", act: () => go(paths.alerts()), group: "Everywhere" },
  { keys: "g m", label: "Go to my account", act: () => go(paths.account()), group: "Everywhere" },
];

export const bindFrameKeys = () => bindKeys(BINDINGS);
