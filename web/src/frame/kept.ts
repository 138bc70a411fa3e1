// What this browser keeps between visits: choices of how the page looks and behaves, never data of runs.

/** What was kept under this name; null when nothing was, or when this browser keeps nothing. */
export function kept(name: string): string | null {
  try {
    return localStorage.getItem(`perdure.${name}`);
  } catch {
    return null;
  }
}

/** Keep it, or with null forget it. Where the browser keeps nothing the choice holds until the page is left. */
export function keep(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`perdure.${name}`);
    else localStorage.setItem(`perdure.${name}`, value);
  } catch {
    // A private window: the choice is in memory all the same.
  }
}

/** Hear of what other tabs keep, so that all agree. */
export function onKept(name: string, hear: (value: string | null) => void): void {
  window.addEventListener("storage", (event) => {
    if (event.key === `perdure.${name}`) hear(event.newValue);
  });
}
