// Settings of a conversation: as the server keeps them, and as a form has them, in which all are texts.
import type { components } from "../api/schema.gen";

type Parameters = Partial<components["schemas"]["ModelParameters"]>;
/** `system` null: the instructions that the conversation began with; empty: none. `parameters` null: never given. */
export interface Settings {
  system?: string | null;
  parameters?: Parameters | null;
}
type NumberName = Exclude<keyof Parameters, "stop">;
export type FieldName = "system" | "stop" | NumberName;
export type Form = Readonly<Record<FieldName, string>>;
export type Faults = Readonly<Partial<Record<FieldName, string>>>;

export const NONE: Settings = { system: null, parameters: null };

export interface NumberField {
  name: NumberName;
  label: string;
  least: number;
  most: number;
  whole: boolean;
  meaning: string;
}

/** The numbers that a model can be told; the server has the same bounds. */
export const NUMBERS: readonly NumberField[] = [
  { name: "temperature", label: "Temperature", least: 0, most: 2, whole: false, meaning: "0 to 2: low is steady, high is varied" },
  { name: "top_p", label: "Top p", least: 0, most: 1, whole: false, meaning: "0 to 1: of how many of the likely words it takes one" },
  { name: "max_tokens", label: "Most tokens", least: 1, most: 1_000_000, whole: true, meaning: "Of one answer; a token is about four letters" },
  { name: "seed", label: "Seed", least: 0, most: 2 ** 53 - 1, whole: true, meaning: "The same one asks for the same answer again" },
  { name: "presence_penalty", label: "Presence penalty", least: -2, most: 2, whole: false, meaning: "-2 to 2: high brings up new matters" },
  { name: "frequency_penalty", label: "Frequency penalty", least: -2, most: 2, whole: false, meaning: "-2 to 2: high repeats fewer words" },
];
const LONGEST = 200_000;
const MOST_STOPS = 8;
const LONGEST_STOP = 200;

/** `began`: the instructions that the conversation began with, which hold while no others are set. */
export function formOf({ system, parameters }: Settings, began: string): Form {
  const numbers = NUMBERS.map(({ name }) => [name, parameters?.[name] == null ? "" : String(parameters[name])] as const);
  return { ...(Object.fromEntries(numbers) as Record<NumberName, string>), system: system ?? began, stop: (parameters?.stop ?? []).map(escaped).join("\n") };
}

/** What the form says, or what is wrong with it. `before`: what was kept; what was never set stays so. */
export function settingsOf(form: Form, before: Settings, began: string): { settings: Settings } | { faults: Faults } {
  const faults: Record<string, string> = {};
  const parameters: Parameters = {};
  for (const field of NUMBERS) {
    const text = form[field.name].trim();
    if (text === "") continue;
    const number = numberIn(text, field);
    if (typeof number === "string") faults[field.name] = number;
    else parameters[field.name] = number;
  }
  const stop = form.stop.split("\n").filter((line) => line !== "").map(unescaped);
  if (stop.length > MOST_STOPS) faults["stop"] = `At most ${MOST_STOPS}, one a line; these are ${stop.length}.`;
  else if (stop.some((one) => [...one].length > LONGEST_STOP)) faults["stop"] = `Each has at most ${LONGEST_STOP} characters.`;
  else if (stop.length > 0) parameters.stop = stop;
  if (form.system.length > LONGEST) faults["system"] = `At most ${LONGEST.toLocaleString("en")} characters; these are ${form.system.length.toLocaleString("en")}.`;
  if (Object.keys(faults).length > 0) return { faults };
  const same = before.system == null && form.system.trim() === began.trim();
  const none = before.parameters == null && Object.keys(parameters).length === 0;
  return { settings: { system: same ? null : form.system.trim(), parameters: none ? null : parameters } };
}

/** Where the server means a field of the form, by its pointer into the body. */
export function fieldAt(where: string | null): FieldName | null {
  const name = where?.match(/^\/settings\/(?:parameters\/)?(\w+)/)?.[1];
  return name === "system" || name === "stop" || NUMBERS.some((one) => one.name === name) ? (name as FieldName) : null;
}

/** What is set, in words. */
export function wordsOf({ system, parameters }: Settings): string[] {
  const found = system ? ["instructions"] : [];
  for (const { name, label } of NUMBERS) if (parameters?.[name] != null) found.push(`${label.toLowerCase()} ${parameters[name]}`);
  if (parameters?.stop?.length) found.push(`stops at ${parameters.stop.map(escaped).join(", ")}`);
  return found;
}

function numberIn(text: string, { least, most, whole }: NumberField): number | string {
  // In much of the world the comma is the point.
  const number = /^[+-]?(\d+([.,]\d*)?|[.,]\d+)$/.test(text) ? Number(text.replace(",", ".")) : NaN;
  const between = `from ${least.toLocaleString("en")} to ${most.toLocaleString("en")}`;
  if (Number.isNaN(number)) return `“${text.slice(0, 20)}” is no number. Write one ${between}, or leave it empty.`;
  if (whole && !Number.isInteger(number)) return `A whole number ${between}.`;
  return number < least || number > most ? `A number ${between}.` : number;
}

/** A line of its own for each text that ends an answer: what would break the line is written as in programs. */
const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\t", "\\t").replaceAll("\r", "\\r");
const MEANT: Record<string, string> = { n: "\n", t: "\t", r: "\r", "\\": "\\" };
const unescaped = (line: string): string => line.replace(/\\([ntr\\])/g, (_, one: string) => MEANT[one]!);
