import { useState } from "preact/hooks";

import type { TemplateHead } from "../api/types";
import { counted } from "../format/counts";
import { ago, exactTime } from "../format/times";
import { now } from "../now";

/** The templates of the server, to choose one. */
export function TemplateList({ templates }: { templates: readonly TemplateHead[] }) {
  const [text, setText] = useState("");
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = templates.filter((one) => words.every((word) => `${one.name} ${one.template_id}`.toLowerCase().includes(word)));
  if (templates.length === 0) {
    return (
      <div class="start-empty start-empty-page">
        <p class="muted">No templates yet. Any workflow can be kept as one, for everybody to start.</p>
        <p><a class="button primary" href="/start?mode=build">Build a workflow</a></p>
      </div>
    );
  }
  return (
    <div class="start-templates">
      {templates.length > 6 && <input type="search" value={text} placeholder="Search templates" aria-label="Search templates" onInput={(event) => setText(event.currentTarget.value)} />}
      <ul class="start-steps">
        {shown.map((one) => (
          <li key={one.template_id} class="start-step">
            <a class="start-template" href={`/start?template=${encodeURIComponent(one.template_id)}`}>
              <span class="start-step-text">
                <span class="start-step-title">{one.name}</span>
                <span class="start-step-line-two truncate"><span class="mono">{one.template_id}</span></span>
              </span>
              <span class="muted small start-template-steps">{counted(one.total_steps, "step")}</span>
              <span class="muted small start-template-by" title={exactTime(one.updated_at)}>{ago(one.updated_at, now.value)} by {one.updated_by}</span>
            </a>
          </li>
        ))}
        {shown.length === 0 && <li class="start-empty muted">No template is called so.</li>}
      </ul>
    </div>
  );
}
