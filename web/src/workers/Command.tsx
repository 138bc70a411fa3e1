import { Copy } from "../parts/Copy";

/** A command to run where the server runs, with a button that copies it. */
export function Command({ text }: { text: string }) {
  return (
    <div class="command">
      <code class="command-text">{text}</code>
      <Copy text={() => text} />
    </div>
  );
}
