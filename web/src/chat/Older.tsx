import { useState } from "preact/hooks";

import { messageOf } from "../parts/Failed";

/** Asks for the messages before those that are shown; what is read stays where it is on the screen. */
export function Older({ read }: { read: () => Promise<void> }) {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const ask = async () => {
    setBusy(true);
    const below = document.documentElement.scrollHeight - scrollY;
    try {
      await read();
      setFault(null);
      requestAnimationFrame(() => scrollTo({ top: document.documentElement.scrollHeight - below }));
    } catch (error) {
      setFault(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <p class="muted small">
      <button type="button" class="button" disabled={busy} onClick={() => void ask()}>{busy ? "Reading" : "Show older messages"}</button>
      {fault !== null && <span role="status"> {fault}</span>}
    </p>
  );
}
