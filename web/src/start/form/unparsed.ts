// What was typed where JSON is wanted and is none yet. It stays in the form, and in what survives a reload; it is never sent.
import type { Json } from "../../api/types";
import { hasReference } from "./references";
import { isObject } from "./schema";

const NAME = "\u0000unparsed";

export const unparsed = (text: string): Json => ({ [NAME]: text });

/** The text of such a value, else null. */
export function unparsedText(value: Json | undefined): string | null {
  const text = isObject(value) ? value[NAME] : undefined;
  return typeof text === "string" ? text : null;
}

/** The value that a text means: JSON, a reference as it stands, nothing when it is empty. */
export function parsedJson(text: string): Json | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  try {
    return JSON.parse(trimmed) as Json;
  } catch {
    return hasReference(trimmed) && trimmed.startsWith("{{") && trimmed.endsWith("}}") ? trimmed : unparsed(text);
  }
}

/** The text for a value. */
export function jsonText(value: Json | undefined): string {
  if (value === undefined) return "";
  const typed = unparsedText(value);
  if (typed !== null) return typed;
  return typeof value === "string" && value.startsWith("{{") ? value : JSON.stringify(value, null, 2);
}

/** Why a text is not JSON, in the browser's words. */
export function jsonFault(text: string): string {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return `This is not JSON: ${(error as Error).message.replace(/^JSON\.parse: /, "")}. Texts stand in "double quotes".`;
  }
}
