// Colours for code, cheaply: strings, comments, numbers and the words that most languages share. Nothing is parsed.

export interface Painted {
  text: string;
  paint: "comment" | "string" | "number" | "word" | null;
}

const WORDS = new Set(
  ("abstract and as assert async await break case catch class const continue def default defer delete do elif else enum except export extends " +
    "false finally fn for from func function go if impl implements import in instanceof interface is lambda let match mod module mut new nil none " +
    "not null or package pass private protected pub public raise return self static struct super switch then this throw throws trait true try type " +
    "typeof undefined use using var void where while with yield select insert update delete from join group order by limit create table").split(" "),
);
const HASH = new Set(["python", "py", "sh", "bash", "shell", "zsh", "yaml", "yml", "toml", "ruby", "rb", "perl", "r", "dockerfile", "make", "makefile", "ini"]);
const DASHES = new Set(["sql", "lua", "haskell", "hs"]);
const PLAIN = new Set(["", "text", "txt", "plain", "markdown", "md", "diff", "log", "console"]);
/** Longer pieces are left as they are. */
const MOST = 20_000;

const STRING = String.raw`"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|` + "`(?:\\\\.|[^`\\\\\\n])*`?";
const NUMBER = String.raw`\b\d[\w.]*`;
const WORD = String.raw`[A-Za-z_$][\w$]*`;

const made = new Map<string, RegExp>();

/** The same text in parts, some with a colour. */
export function painted(text: string, language: string): Painted[] {
  if (PLAIN.has(language) || text.length > MOST) return [{ text, paint: null }];
  const parts: Painted[] = [];
  let from = 0;
  for (const found of text.matchAll(patternOf(language))) {
    const [whole, comment, string, number] = found;
    const paint = comment ? "comment" : string ? "string" : number ? "number" : WORDS.has(whole.toLowerCase()) ? "word" : null;
    if (paint === null) continue;
    if (found.index > from) parts.push({ text: text.slice(from, found.index), paint: null });
    parts.push({ text: whole, paint });
    from = found.index + whole.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), paint: null });
  return parts;
}

function patternOf(language: string): RegExp {
  const kind = HASH.has(language) ? "#" : DASHES.has(language) ? "--" : "//";
  let pattern = made.get(kind);
  if (pattern === undefined) {
    const comment = kind === "//" ? String.raw`\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)` : `${kind}[^\\n]*`;
    pattern = new RegExp(`(${comment})|(${STRING})|(${NUMBER})|${WORD}`, "g");
    made.set(kind, pattern);
  }
  return pattern;
}
