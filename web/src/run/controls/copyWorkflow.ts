import { get } from "../../api/client";
import type { JsonObject } from "../../api/types";
import { copyText } from "../../parts/Copy";
import { say } from "../../parts/notices";
import { asCurl, asYaml } from "../../start/copy";
import { failure } from "./asking";

/** Put the workflow of a run on the clipboard, as a file for `perdure start` or as a command line. */
export async function copyWorkflow(runId: string, form: "yaml" | "curl"): Promise<void> {
  try {
    const { workflow } = await get("/workflow/definition", { query: { workflow_id: runId } });
    const text = form === "yaml" ? asYaml(workflow as JsonObject) : asCurl(workflow as JsonObject, location.origin);
    const name = form === "yaml" ? "YAML" : "a curl command";
    if (await copyText(text)) say(`Copied as ${name}.`);
    else say("The browser did not allow it to be copied.", "failed");
  } catch (error) {
    say(failure("copy", error), "failed");
  }
}
