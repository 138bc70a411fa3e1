import { Copy } from "../../parts/Copy";
import { kept } from "../../parts/kept";
import { painted } from "./paint";

/** So many lines are drawn as one piece, and drawn once when they are whole. */
const LINES = 40;

/** Code as it was written, with its language and a way to copy it. */
export function CodeBlock({ text, language, open }: { text: string; language: string; open: boolean }) {
  const name = language.trim().split(/\s/)[0]!.slice(0, 30);
  return (
    <div class="code-block">
      <div class="code-block-head">
        <span class="code-block-language">{name || "text"}</span>
        <Copy text={() => text} label="Copy" className="button plain code-block-copy" />
      </div>
      <pre tabIndex={0} aria-label={name ? `Code, ${name}` : "Code"} aria-busy={open}>
        <code>{pieces(text).map((piece, at) => <Piece key={at} text={piece} language={name.toLowerCase()} />)}</code>
      </pre>
    </div>
  );
}

const Piece = kept(({ text, language }: { text: string; language: string }) => (
  <>{painted(text, language).map(({ text: part, paint }, at) => (paint === null ? part : <span key={at} class={`code-${paint}`}>{part}</span>))}</>
));

function pieces(text: string): string[] {
  const found: string[] = [];
  let from = 0;
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
    lines += 1;
    if (lines < LINES) continue;
    found.push(text.slice(from, at + 1));
    from = at + 1;
    lines = 0;
  }
  found.push(text.slice(from));
  return found;
}
