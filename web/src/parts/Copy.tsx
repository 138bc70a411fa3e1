import { useEffect, useRef, useState } from "preact/hooks";
import "./copy.css";

/** A button that copies a text, made only when it is asked for. It says whether that went well. */
export function Copy({ text, label = "Copy", className = "button plain", hidden = false }: { text: () => string; label?: string; className?: string; hidden?: boolean }) {
  const [said, setSaid] = useState<"copied" | "failed" | null>(null);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    const done = await copyText(text());
    setSaid(done ? "copied" : "failed");
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setSaid(null), 1600);
  };
  const words = said === "copied" ? "Copied" : said === "failed" ? "Not copied" : label;
  return (
    <button type="button" class={`${className} copy${hidden && said === null ? " copy-quiet" : ""}`} onClick={() => void copy()}>
      {/* The widest of the words gives the width, so that nothing beside it moves. */}
      <span class="copy-words" aria-hidden="true">{label}</span>
      <span class="copy-shown" aria-live="polite">{words}</span>
    </button>
  );
}

/** Put a text on the clipboard; false when the browser does not let us. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages that are not served over TLS, other than from this device, have no clipboard of the modern kind.
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "sr-only";
    const host = document.querySelector("dialog[open]") ?? document.body;
    const before = document.activeElement as HTMLElement | null;
    host.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    before?.focus?.({ preventScroll: true });
    return done;
  }
}
