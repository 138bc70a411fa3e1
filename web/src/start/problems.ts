// What the server refused, at its place in the form.
import { Problem, Unreachable } from "../api/client";
import { child, segments, type Faults } from "./form/pointer";
import type { StepDraft } from "./draft";

const HOST = new Set(["ssh", "ssh_connection"]);

/** The place in the form for a place in the body. */
export function placeOf(where: string, stepIds: readonly string[]): string {
  const [first = "", second, ...rest] = where.startsWith("/") ? segments(where) : [where];
  if (HOST.has(first)) return "/connection";
  if (first === "steps" && second !== undefined) {
    const id = stepIds[Number(second)];
    return id === undefined ? "/steps" : rest.reduce(child, `/steps/${id}`);
  }
  return where === "" || where === "/" ? "" : [second, ...rest].reduce<string>((at, part) => (part === undefined ? at : child(at, part)), `/${first}`);
}

/** Sentences by place. What has no place in the body stands under "". */
export function faultsOfProblem(problem: Problem, steps: readonly StepDraft[], stepIds: readonly string[]): Faults {
  const found: Record<string, string> = {};
  const missing = missingParameters(problem.message);
  for (const [key, names] of missing) {
    const id = steps.find((step) => step.key === key)?.id;
    for (const name of id === undefined ? [] : names) found[child(`/steps/${id}/params`, name)] = "Required.";
  }
  if (Object.keys(found).length > 0) return found;
  const several = problem.document.errors ?? [];
  if (several.length > 0) {
    for (const one of several) found[placeOf(one.where ?? "", stepIds)] ??= sentence(one.detail ?? problem.message);
  } else found[placeOf(problem.where ?? "", stepIds)] = sentence(problem.message);
  return found;
}

/** "parameters are missing: step 'nodes' (ssh.install_custom_nodes) needs nodes; ..." by the step's key. */
function missingParameters(message: string): [key: string, names: string[]][] {
  if (!message.startsWith("parameters are missing: ")) return [];
  return [...message.matchAll(/step '([^']+)' \([^)]*\) needs ([A-Za-z0-9_, ]+)/g)].map((match) => [match[1]!, match[2]!.split(", ")]);
}

/** The run that holds the host or key, of a refusal that says so. */
export function runInTheWay(problem: Problem): string | null {
  return problem.code === "run_active" ? (/^run (\S+) is already active/.exec(problem.message)?.[1] ?? null) : null;
}

/** Whether the same may simply be sent again: nothing says that it was refused. */
export const isUnanswered = (error: unknown): boolean =>
  error instanceof Unreachable || (error instanceof Problem && [502, 503, 504].includes(error.status));

export function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
