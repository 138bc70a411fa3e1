// A workflow that was pasted, as JSON or as YAML. JSON is read here, for that is what the browser can; YAML by the server, as
// the command line reads it, so that one text means one thing wherever it is used.
import { Problem, Unreachable } from "../api/client";
import type { JsonObject } from "../api/types";
import { pastedWorkflow } from "./check";
import { sentence } from "./problems";

export type Pasted =
  | { workflow: JsonObject }
  /** `at`: where in the text, when that is known. */
  | { fault: string; at: number | null };

/** What the server reads at most. */
const MAX_CHARS = 1024 ** 2;

/** The workflow in a text, or why there is none. `ask` lets the server read YAML. Throws only what is neither a refusal nor the lack of an answer. */
export async function readPasted(text: string, ask: (text: string) => Promise<JsonObject>): Promise<Pasted> {
  try {
    return workflowIn(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (text.length > MAX_CHARS) return { fault: `It is no JSON, and YAML is read up to ${MAX_CHARS.toLocaleString("en")} characters.`, at: null };
  try {
    return workflowIn(await ask(text));
  } catch (error) {
    if (error instanceof Unreachable) return { fault: "The server, which reads YAML, cannot be reached. JSON is read without it.", at: null };
    if (error instanceof Problem) return refused(error, text);
    throw error;
  }
}

function workflowIn(value: unknown): Pasted {
  const workflow = pastedWorkflow(value);
  return workflow === null ? { fault: "A workflow is an object with steps, or a list of steps.", at: null } : { workflow };
}

function refused(problem: Problem, text: string): Pasted {
  const { line, column } = problem.document;
  if (typeof line !== "number" || typeof column !== "number") return { fault: sentence(problem.message), at: null };
  return { fault: `Line ${line}, column ${column}: ${sentence(problem.message)}`, at: placeIn(text, line, column) };
}

/** Where a line and column, from 1, are in a text. */
export function placeIn(text: string, line: number, column: number): number {
  let start = 0;
  for (let before = 1; before < line; before += 1) {
    const end = text.indexOf("\n", start);
    if (end < 0) return text.length;
    start = end + 1;
  }
  // The server counts whole characters, the browser halves of those beyond the first plane.
  const chars = [...text.slice(start, (text.indexOf("\n", start) + 1 || text.length + 1) - 1)];
  return start + chars.slice(0, column - 1).join("").length;
}
