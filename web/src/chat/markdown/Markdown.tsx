import type { Token, Tokens } from "marked";
import { Component, type ComponentChildren } from "preact";
import { useMemo, useRef } from "preact/hooks";

import { imageAt, linkTo } from "./addresses";
import { CodeBlock } from "./CodeBlock";
import { decoded } from "./entities";
import { Growing } from "./growing";
import "./markdown.css";

/** What a model wrote, as elements: never as HTML. `writing`: more of it may come, and only its last block is drawn again. */
export function Markdown({ text, writing = false }: { text: string; writing?: boolean }) {
  const growing = useRef<Growing | null>(null);
  growing.current ??= new Growing();
  const blocks = useMemo(() => growing.current!.blocks(text, writing), [text, writing]);
  return (
    <div class={writing ? "markdown markdown-writing" : "markdown"}>
      {blocks.map(({ at, token, open }) => <Part key={at} token={token} open={open} />)}
    </div>
  );
}

/** A block or an item of a list: drawn again only when what it was written as is another. */
class Part extends Component<{ token: Token; open: boolean; loose?: boolean }> {
  override shouldComponentUpdate(next: { token: Token; open: boolean; loose?: boolean }): boolean {
    const { token, open, loose } = this.props;
    return next.open !== open || next.loose !== loose || (next.token !== token && (next.token.raw !== token.raw || next.token.type !== token.type));
  }

  override render() {
    const { token, open, loose } = this.props;
    return token.type === "list_item" ? item(token as Tokens.ListItem, open, loose === true) : block(token, open);
  }
}

function block(token: Token, open: boolean): ComponentChildren {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "paragraph":
      return <p>{inline(token.tokens)}</p>;
    case "text":
      return token.tokens ? inline(token.tokens) : decoded((token as Tokens.Text).text);
    case "heading": {
      // The page itself has the first level.
      const Heading = `h${Math.min(6, (token as Tokens.Heading).depth + 1)}` as "h2";
      return <Heading class={`markdown-h${(token as Tokens.Heading).depth}`}>{inline(token.tokens)}</Heading>;
    }
    case "code": {
      const { text, lang, raw } = token as Tokens.Code;
      // The name is whole when its line is.
      const named = open && !raw.includes("\n") ? "" : (lang ?? "");
      return <CodeBlock text={text} language={decoded(named)} open={open} />;
    }
    case "blockquote":
      return <blockquote>{blocks((token as Tokens.Blockquote).tokens, open)}</blockquote>;
    case "list": {
      const { ordered, start, items, loose } = token as Tokens.List;
      const all = items.map((one, at) => <Part key={at} token={one as Token} open={open && at === items.length - 1} loose={loose} />);
      return ordered ? <ol start={typeof start === "number" ? start : 1}>{all}</ol> : <ul>{all}</ul>;
    }
    case "table":
      return table(token as Tokens.Table);
    case "hr":
      return <hr />;
    default:
      return <p>{token.raw}</p>;
  }
}

const blocks = (tokens: Token[], open: boolean) => tokens.map((one, at) => <Part key={at} token={one} open={open && at === tokens.length - 1} />);

function item({ task, checked, tokens }: Tokens.ListItem, open: boolean, loose: boolean): ComponentChildren {
  const last = tokens.length - 1;
  return (
    <li class={task ? "markdown-task" : undefined}>
      {task && <span class={checked ? "markdown-box markdown-box-done" : "markdown-box"} role="img" aria-label={checked ? "done:" : "not done:"} />}
      {tokens.map((one, at) => {
        if (one.type === "checkbox") return null;
        return one.type === "text" && loose ? <p key={at}>{block(one, open && at === last)}</p> : <Part key={at} token={one} open={open && at === last} />;
      })}
    </li>
  );
}

function table({ header, rows }: Tokens.Table): ComponentChildren {
  const aligned = (cell: Tokens.TableCell) => (cell.align ? `markdown-${cell.align}` : undefined);
  return (
    <div class="markdown-table" role="group" aria-label="Table" tabIndex={0}>
      <table>
        <thead><tr>{header.map((cell, at) => <th key={at} scope="col" class={aligned(cell)}>{inline(cell.tokens)}</th>)}</tr></thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at}>{row.map((cell, column) => <td key={column} class={aligned(cell)}>{inline(cell.tokens)}</td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function inline(tokens: Token[] | undefined): ComponentChildren {
  return (tokens ?? []).map((token, at) => {
    switch (token.type) {
      case "strong": return <strong key={at}>{inline(token.tokens)}</strong>;
      case "em": return <em key={at}>{inline(token.tokens)}</em>;
      case "del": return <del key={at}>{inline(token.tokens)}</del>;
      case "codespan": return <code key={at}>{(token as Tokens.Codespan).text}</code>;
      case "br": return <br key={at} />;
      case "link": return link(token as Tokens.Link, at);
      case "image": return image(token as Tokens.Image, at);
      case "escape": return (token as Tokens.Escape).text;
      case "checkbox": return null;
      case "text": return token.tokens ? inline(token.tokens) : decoded((token as Tokens.Text).text);
      // HTML and what the lexer may learn one day: as it was written.
      default: return token.raw;
    }
  });
}

function link({ href, tokens, raw }: Tokens.Link, key: number): ComponentChildren {
  const to = linkTo(href);
  // Where it may not lead, what was written says where it would.
  if (to === null) return <span key={key}>{raw}</span>;
  return <a key={key} class="link" href={to} target="_blank" rel="noopener noreferrer" title={to}>{inline(tokens)}</a>;
}

function image({ href, text }: Tokens.Image, key: number): ComponentChildren {
  const src = imageAt(href, location.origin);
  if (src !== null) return <img key={key} src={src} alt={decoded(text)} loading="lazy" />;
  const to = linkTo(href);
  const words = decoded(text) || "no description";
  if (to === null) return <span key={key} class="markdown-no-image">Image: {words}</span>;
  return <a key={key} class="link" href={to} target="_blank" rel="noopener noreferrer" title={to}>Image: {words}</a>;
}
