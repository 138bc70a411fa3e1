import { useState } from "preact/hooks";

import type { JsonObject } from "../api/types";
import { Dialog } from "../parts/Dialog";
import { Menu, type MenuItem } from "../parts/Menu";
import { say } from "../parts/notices";
import { copyText } from "../parts/Copy";
import { asCurl, asJson, asYaml } from "./copy";

/** Copies a workflow as text that starts the same from elsewhere; where the browser keeps its clipboard closed, shows the text. */
export function CopyMenu({ workflow, more = [], label = "Copy" }: { workflow: () => JsonObject; more?: MenuItem[]; label?: string }) {
  const [shown, setShown] = useState<{ what: string; text: string } | null>(null);
  const copy = async (what: string, text: string) => {
    if (await copyText(text)) say(`Copied as ${what}.`);
    else setShown({ what, text });
  };
  return (
    <>
      <Menu
        label={label} className="button"
        items={[
          { label: "Copy as curl", act: () => void copy("curl", asCurl(workflow(), location.origin)) },
          { label: "Copy as YAML", act: () => void copy("YAML", asYaml(workflow())) },
          { label: "Copy as JSON", act: () => void copy("JSON", asJson(workflow())) },
          ...more,
        ]}
      />
      {shown !== null && (
        <Dialog title={`The workflow as ${shown.what}`} close={() => setShown(null)} wide>
          <textarea class="mono start-text" readOnly rows={16} value={shown.text} aria-label={`The workflow as ${shown.what}`} onFocus={(event) => event.currentTarget.select()} />
          <div class="dialog-actions"><button type="button" class="button" onClick={() => setShown(null)}>Close</button></div>
        </Dialog>
      )}
    </>
  );
}
