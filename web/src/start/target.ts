// Reads a remote host as people write it, by the same rules as the server (orchestration/actions/ssh/target.py), while it is typed.

export interface Target {
  host: string;
  user: string;
  port: number;
  key: string | null;
}

export type Read =
  | { target: Target }
  /** `unfinished`: it may become right by typing on. */
  | { fault: string; unfinished: boolean };

const MAX_LENGTH = 400;
const FORM = "Write it as ssh -p 2838 user@host, user@host:22 or user@[2001:db8::1]:22.";
const PASSWORD = "A password is refused: Perdure signs in with a key from its keys directory and stores no password.";
const OPTIONS: Record<string, "port" | "user" | "key"> = { "-p": "port", "-l": "user", "-i": "key" };
const USER = /^[a-z_][a-z0-9_.-]{0,31}$/;
const KEY = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/;
const HOST = /^[A-Za-z0-9]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?)*\.?$/;

const wrong = (fault: string): Read => ({ fault, unfinished: false });
const unfinished = (fault: string): Read => ({ fault, unfinished: true });

type Found = Partial<Record<"address" | "host" | "user" | "port" | "key", string>>;

/** The host that a text names, or what is wrong with it. */
export function readTarget(text: string): Read {
  if (text.length > MAX_LENGTH) return wrong(`At most ${MAX_LENGTH} characters. ${FORM}`);
  if (!/^[\x20-\x7e]*$/.test(text)) return wrong(`There are characters in it that no host has. ${FORM}`);
  const words = splitWords(text);
  if (words === null) return unfinished("A quotation mark is not closed.");
  if (/^(sshpass$|SSHPASS=)/.test(words[0] ?? "")) return wrong(PASSWORD);
  if (words[0] === "ssh") words.shift();
  const found: Found = {};
  while (words.length > 0) {
    const word = words.shift()!;
    let fault: Read | null;
    if (word.startsWith("-")) {
      const name = OPTIONS[word.slice(0, 2)];
      if (word === "-") return unfinished("Of the options -p, -l and -i are taken.");
      if (name === undefined) return wrong(`The option ${word.slice(0, 2)} is not supported. Use only -p, -l and -i.`);
      const value = word.slice(2) || words.shift();
      if (value === undefined) return unfinished(`Give the ${name} after ${word.slice(0, 2)}.`);
      fault = put(found, name, value);
    } else if (found.address !== undefined) {
      return wrong("More than one host, or a command, is given. Name one host and nothing after it.");
    } else {
      fault = put(found, "address", word) ?? splitAddress(found, word);
    }
    if (fault !== null) return fault;
  }
  if (!found.host) return unfinished(text.trim() === "" ? "Give the SSH connection string of the host." : `No host is given yet. ${FORM}`);
  return checked(found.host, found);
}

function put(found: Found, name: keyof Found, value: string): Read | null {
  const before = found[name];
  if (before !== undefined && before !== value) {
    const fault = `The ${name} is given twice, with different values.`;
    // The first digits of the same port are on their way to it.
    return before.startsWith(value) ? unfinished(fault) : wrong(fault);
  }
  found[name] = value;
  return null;
}

/** Take `user@host:port` apart. */
function splitAddress(found: Found, address: string): Read | null {
  const at = address.lastIndexOf("@");
  let rest = address.slice(at + 1);
  if (at >= 0) {
    const user = address.slice(0, at);
    if (user.includes("://")) return wrong(`A URL is not taken. ${FORM}`);
    if (user.includes(":")) return wrong(PASSWORD);
    const fault = put(found, "user", user);
    if (fault !== null) return fault;
  } else if (rest.includes("://")) return wrong(`A URL is not taken. ${FORM}`);
  let port: string | null = null;
  if (rest.startsWith("[")) {
    const end = rest.indexOf("]");
    if (end < 0) return unfinished("The bracket around the address is not closed.");
    const after = rest.slice(end + 1);
    if (after !== "" && !after.startsWith(":")) return wrong(`After the bracket comes nothing, or : and the port. ${FORM}`);
    if (after !== "") port = after.slice(1);
    rest = rest.slice(0, end + 1);
  } else if (rest.split(":").length > 2) {
    rest = `[${rest}]`;
  } else if (rest.includes(":")) {
    [rest, port] = rest.split(":") as [string, string];
  }
  if (port === "") return unfinished("The port after : is missing.");
  return put(found, "host", rest) ?? (port === null ? null : put(found, "port", port));
}

function checked(given: string, found: Found): Read {
  let host = given;
  if (host.startsWith("[")) {
    if (host.includes("%")) return wrong("An address with a zone (%...) cannot be used. Use a global address or a name.");
    const short = compressed(host);
    if (short === null) return unfinished("The address in brackets is not an IPv6 address.");
    host = short;
  } else if (!HOST.test(host) || host.length > 253) {
    return unfinished(`The host is neither a name nor an address. ${FORM}`);
  }
  const user = found.user ?? "root";
  if (!USER.test(user)) return wrong("The user name is not valid: lower-case letters, digits, _ . and -.");
  const port = found.port ?? "22";
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) return wrong("The port is a number from 1 to 65535.");
  const key = found.key ?? null;
  if (key !== null && !KEY.test(key)) return wrong("-i names a key of the server's keys directory, not a path.");
  return { target: { host, user, port: Number(port), key } };
}

function compressed(host: string): string | null {
  try {
    return new URL(`http://${host}/`).hostname;
  } catch {
    return null;
  }
}

/** `user@host:port`: what the server's lists call the host. */
export const addressOf = (target: Target): string => `${target.user}@${target.host}:${target.port}`;

/** The target as a command line that reads back to the same. */
export const commandOf = (target: Target): string =>
  `ssh -p ${target.port}${target.key === null ? "" : ` -i ${target.key}`} ${target.user}@${target.host}`;

/** The command line for an address of a list of runs. */
export function commandOfAddress(address: string): string | null {
  const read = readTarget(address);
  return "target" in read ? commandOf(read.target) : null;
}

/** Words as a POSIX shell splits them; null when a quotation is not closed. */
function splitWords(text: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  let quote = "";
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]!;
    if (quote !== "") {
      if (char === quote) quote = "";
      else if (char === "\\" && quote === '"' && /["\\]/.test(text[at + 1] ?? "")) word += text[++at]!;
      else word += char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= "";
    } else if (char === "\\") {
      if (at + 1 >= text.length) return null;
      word = (word ?? "") + text[++at]!;
    } else if (char === " ") {
      if (word !== null) words.push(word);
      word = null;
    } else word = (word ?? "") + char;
  }
  if (quote !== "") return null;
  if (word !== null) words.push(word);
  return words;
}
