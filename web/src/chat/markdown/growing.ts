// A text that grows, as blocks: those that are whole are read once, and only the last one again.
import { Lexer, Marked, type Links, type Token } from "marked";

import { mended } from "./mend";

export interface Block {
  /** Where it begins, which is also its identity. */
  at: number;
  token: Token;
  /** More of it may come. */
  open: boolean;
}

// HTML is no part of it: what looks like it is text.
const reader = new Marked({ gfm: true, tokenizer: { html: () => undefined, tag: () => undefined } });

/** Reading the last block takes a tenth of it. */
const SLOW_MS = 20;

/** Blocks of one text. Call `blocks` with each longer one. */
export class Growing {
  private text = "";
  private whole: Block[] = [];
  private end = 0;
  private links: Links = {};
  private wasOpen = false;
  private last: readonly Block[] = [];
  private rest = 0;

  /** `writing`: the end is not the end, and shown as it will most likely be. */
  blocks(written: string, writing: boolean): readonly Block[] {
    // A text that is made to be slow to read must not hold up the page: it is read less often. Its end is read in any case.
    if (writing && performance.now() < this.rest) return this.last;
    const began = performance.now();
    this.last = this.read(written, writing);
    const took = performance.now() - began;
    this.rest = took > SLOW_MS ? began + took * 5 : 0;
    return this.last;
  }

  private read(written: string, writing: boolean): readonly Block[] {
    const text = written.includes("\r") ? written.replace(/\r\n?/g, "\n") : written;
    const grown = text.startsWith(this.text.slice(0, this.end));
    // At its end all is read once more: what is named there may have been meant at the beginning, and what was shown was a guess.
    if (!grown || (this.wasOpen && !writing)) this.reset();
    this.text = text;
    this.wasOpen = writing;
    const tail = text.slice(this.end);
    const tokens = this.lex(writing ? mended(tail) : tail);
    let last = tokens.length - 1;
    while (last > 0 && tokens[last]!.type === "space") last -= 1;
    const blocks: Block[] = [];
    let at = this.end;
    let sure = true;
    tokens.forEach((token, index) => {
      const block: Block = { at, token, open: writing && index === last };
      sure &&= text.startsWith(token.raw, at);
      at += token.raw.length;
      if (sure && index < last) {
        if (token.type !== "space") this.whole.push(block);
        this.end = at;
      } else if (token.type !== "space") blocks.push(block);
    });
    return blocks.length === 0 ? this.whole : [...this.whole, ...blocks];
  }

  private reset(): void {
    this.whole = [];
    this.end = 0;
    this.links = {};
  }

  private lex(text: string): Token[] {
    try {
      const lexer = new Lexer({ ...reader.defaults });
      lexer.tokens.links = { ...this.links };
      const tokens = lexer.lex(text);
      this.links = lexer.tokens.links;
      return tokens;
    } catch (error) {
      // A text that the lexer gives up on is still a text.
      console.error(error);
      return [{ type: "paragraph", raw: text, text, tokens: [{ type: "text", raw: text, text }] }];
    }
  }
}
