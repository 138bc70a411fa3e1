// Light, dark, or as the device says; kept in this browser and applied as data-scheme on <html> (see tokens.css).
import { effect, signal } from "@preact/signals";

import { keep, kept, onKept } from "../frame/kept";

export type Scheme = "system" | "light" | "dark";

export const SCHEMES: readonly { scheme: Scheme; word: string }[] = [
  { scheme: "system", word: "System" },
  { scheme: "light", word: "Light" },
  { scheme: "dark", word: "Dark" },
];

const read = (value: string | null): Scheme => (value === "light" || value === "dark" ? value : "system");

export const scheme = signal<Scheme>(read(kept("scheme")));
onKept("scheme", (value) => (scheme.value = read(value)));

effect(() => {
  if (scheme.value === "system") delete document.documentElement.dataset["scheme"];
  else document.documentElement.dataset["scheme"] = scheme.value;
});

export function chooseScheme(chosen: Scheme): void {
  scheme.value = chosen;
  keep("scheme", chosen === "system" ? null : chosen);
}
