// Colours of tokens.css for what cannot read CSS variables, such as a canvas.
import { signal } from "@preact/signals";

import { scheme } from "./scheme";

/** A token as the browser shows it now: `colour("--accent")` is `rgb(33, 86, 217)`. */
export function colour(token: string, within: Element = document.body): string {
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.style.color = `var(${token})`;
  within.append(probe);
  const shown = getComputedStyle(probe).color;
  probe.remove();
  return shown;
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const device = signal(dark.matches);
dark.addEventListener("change", () => (device.value = dark.matches));

/** Whether the page is dark now; read it to draw again when that changes. */
export const isDark = (): boolean => (scheme.value === "system" ? device.value : scheme.value === "dark");
