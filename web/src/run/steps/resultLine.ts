// What a step gave back, in one line.
import type { Json, StepResult } from "../../api/types";

const LONGEST = 300;

/** The message of a result, else its details as `key: value` pairs. Empty when there is nothing to say. */
export function resultLine(result: StepResult | null | undefined): string {
  if (!result) return "";
  const message = oneLine(result.message ?? "");
  return message === "" ? pairs(result.details) : cut(message);
}

/** A map as `key: value · key: value` on one line (R260). */
export function pairs(details: StepResult["details"]): string {
  return cut(Object.entries(details ?? {}).map(([key, value]) => `${key.replaceAll("_", " ")}: ${brief(value as Json)}`).join(" · "));
}

function brief(value: Json): string {
  if (value === null) return "none";
  if (typeof value === "string") return oneLine(value);
  if (Array.isArray(value)) {
    if (value.length <= 4 && value.every((one) => one === null || typeof one !== "object")) return value.map(brief).join(", ") || "none";
    return `${value.length} items`;
  }
  if (typeof value === "object") {
    const count = Object.keys(value).length;
    return count === 0 ? "none" : `${count} ${count === 1 ? "field" : "fields"}`;
  }
  return String(value);
}

const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim();
const cut = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);
