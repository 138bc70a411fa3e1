// A workflow as text that starts the same from elsewhere.
import type { JsonObject } from "../api/types";
import { toYaml } from "./yaml";

/** What is about one start, not about the workflow: a copy that carried the id would start nothing. */
const OF_ONE_START = new Set(["workflow_id", "metadata"]);

/** What `perdure start FILE` reads. */
export const asYaml = (workflow: JsonObject): string => toYaml(startable(workflow));

/** The body of a start, readable. */
export const asJson = (workflow: JsonObject): string => `${JSON.stringify(startable(workflow), null, 2)}\n`;

/** A command line that starts it. The token comes from the environment: it is not to be read from a page or a history. */
export function asCurl(workflow: JsonObject, origin: string): string {
  return [
    `curl -sS --fail-with-body ${quoted(`${origin}/workflow/start`)}`,
    `  -H "Authorization: Bearer $PERDURE_TOKEN"`,
    `  -H 'Content-Type: application/json'`,
    `  --data-raw ${quoted(JSON.stringify(startable(workflow), null, 2))}`,
  ].join(" \\\n");
}

/** One word of a POSIX shell. */
export const quoted = (text: string): string =>
  /^[A-Za-z0-9_./:@%+=-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`;

function startable(workflow: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(workflow).filter(([name]) => !OF_ONE_START.has(name)));
}
