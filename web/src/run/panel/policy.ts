// The policy of a step in words.
import { duration } from "../../format/durations";
import type { Json, JsonObject } from "../../api/types";

export interface Sentence {
  name: string;
  words: string;
}

const seconds = (value: Json | undefined): string => duration(Number(value) * 1000);

/** What was asked for should the step take long, fail, or lose its worker. */
export function policyWords(policy: JsonObject, needs: readonly string[], needsTotal: number): Sentence[] {
  const said: Sentence[] = [{ name: "Needs", words: needsWords(needs, needsTotal) }];
  if (typeof policy["when"] === "string") said.push({ name: "Runs when", words: policy["when"] });
  if (typeof policy["timeout_s"] === "number") said.push({ name: "Time limit", words: `${seconds(policy["timeout_s"])} an attempt` });
  const retry = policy["retry"];
  if (isObject(retry)) said.push({ name: "Retries", words: retryWords(retry) });
  said.push({ name: "When it fails", words: failureWords(policy["on_failure"]) });
  if (policy["on_lost"] === "retry") said.push({ name: "When its worker dies", words: "another worker runs it again" });
  if (policy["on_lost"] === "fail") said.push({ name: "When its worker dies", words: "it fails, since running it twice may do harm" });
  return said;
}

function needsWords(needs: readonly string[], total: number): string {
  if (total === 0 && needs.length === 0) return "no other step";
  const more = Math.max(0, total - needs.length);
  return `${needs.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

export function retryWords(retry: JsonObject): string {
  const tries = Number(retry["max_attempts"] ?? 1);
  if (tries <= 1) return "none: one attempt that may fail";
  const base = Number(retry["base_delay_s"] ?? 0);
  const most = Number(retry["max_delay_s"] ?? base);
  const jitter = Number(retry["jitter"] ?? 0);
  const pause = base === 0 ? "at once" : base >= most ? `after ${seconds(most)} each` : `after ${seconds(base)}, twice as long each time, at most ${seconds(most)}`;
  return `up to ${tries} attempts, ${pause}${jitter > 0 && base > 0 ? `, give or take ${Math.round(jitter * 100)} %` : ""}`;
}

function failureWords(policy: Json | undefined): string {
  if (policy === "continue") return "the run goes on without it";
  const fallback = isObject(policy) ? policy["fallback"] : undefined;
  if (isObject(fallback)) {
    return typeof fallback["step"] === "string" ? `step ${fallback["step"]} stands in for it` : `its result is ${JSON.stringify(fallback["value"] ?? null)}`;
  }
  return "the run fails";
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
