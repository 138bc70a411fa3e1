// Writes JSON values as YAML that readers of YAML 1.1 and 1.2 take for the same values.
import type { Json } from "../api/types";

/** The text of a value, ending with a line break. */
export function toYaml(value: Json): string {
  return `${isCollection(value) ? block(value, 0) : scalar(value, 0)}\n`;
}

const isCollection = (value: Json): value is Json[] | { [name: string]: Json } =>
  value !== null && typeof value === "object" && Object.keys(value).length > 0;

/** The lines of a list or map that begin at a column; the first one without its indentation. */
function block(value: Json[] | { [name: string]: Json }, column: number): string {
  const pad = " ".repeat(column);
  if (Array.isArray(value)) {
    return value.map((one) => `- ${isCollection(one) ? block(one, column + 2) : scalar(one, column)}`).join(`\n${pad}`);
  }
  return Object.entries(value)
    .map(([name, one]) => {
      const key = `${text(name)}:`;
      // What a name holds stands two columns further in, lists too.
      return isCollection(one) ? `${key}\n${pad}  ${block(one, column + 2)}` : `${key} ${scalar(one, column)}`;
    })
    .join(`\n${pad}`);
}

function scalar(value: Json, column: number): string {
  if (value === null) return "null";
  if (typeof value === "number") return number(value);
  if (typeof value === "boolean") return String(value);
  if (typeof value === "object") return Array.isArray(value) ? "[]" : "{}";
  return value.includes("\n") && canBeLiteral(value) ? literal(value, column) : text(value);
}

/** YAML 1.1 takes an exponent for a number only after a point. */
const number = (value: number): string => String(value).replace(/^(-?\d+)e/, "$1.0e");

// Only what no reader could take for anything else stands without quotes.
const PLAIN = /^[A-Za-z/_][A-Za-z0-9 _./@+-]*$|^~\/[A-Za-z0-9_./@+-]*$/;
const OTHER_THAN_TEXT = /^(y|n|yes|no|on|off|true|false|null)$/i;

function text(value: string): string {
  if (PLAIN.test(value) && !value.endsWith(" ") && !OTHER_THAN_TEXT.test(value)) return value;
  // JSON's text is YAML's text in double quotes, but for what YAML does not take as it stands.
  return JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]/gu, escaped);
}

const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Whether every line can stand as it is: only printable characters, and no line of spaces alone that would set the indentation. */
const canBeLiteral = (value: string): boolean =>
  /[^\n]/.test(value) &&
  !/[^\n\t\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]/u.test(value) &&
  !/^[ \t]+$/m.test(value);

function literal(value: string, column: number): string {
  const ends = /\n*$/.exec(value)![0].length;
  const body = value.slice(0, value.length - ends);
  const pad = " ".repeat(column + 2);
  // A first line that begins with spaces would set the indentation; so it is said.
  const indentation = /^\n*[ \t]/.test(body) ? "2" : "";
  const chomping = ends === 0 ? "-" : ends === 1 ? "" : "+";
  const lines = body.split("\n").map((line) => (line === "" ? "" : pad + line));
  return `|${indentation}${chomping}\n${lines.join("\n")}${"\n".repeat(Math.max(0, ends - 1))}`;
}
