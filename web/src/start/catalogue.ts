// The actions and templates of the server, read when the page opens and kept for when it opens again.
import { batch, signal } from "@preact/signals";

import { call, get } from "../api/client";
import type { Action, JsonObject, Template, TemplateHead } from "../api/types";

const PAGE = 200;
const MAX_PAGES = 25;

export const actions = signal<ReadonlyMap<string, Action> | null>(null);
export const templates = signal<readonly TemplateHead[] | null>(null);
/** Why they could not be read. What was read before stays. */
export const catalogueError = signal<unknown>(null);

let actionsText = "";

/** Read both; what is shown stays meanwhile. */
export async function readCatalogue(): Promise<void> {
  try {
    const [known, kept] = await Promise.all([get("/workflow/actions"), readTemplates()]);
    batch(() => {
      const before = actions.peek();
      // The same actions stay the same map: what was checked against them holds.
      const text = JSON.stringify(known.actions);
      if (before === null || text !== actionsText) {
        actionsText = text;
        // While servers are replaced one by one, an older one may answer, which names no presets.
        actions.value = new Map(known.actions.map((action) => [action.name, { ...action, preset: action.preset ?? [] }]));
      }
      templates.value = kept;
      catalogueError.value = null;
    });
  } catch (error) {
    catalogueError.value = error;
  }
}

async function readTemplates(): Promise<TemplateHead[]> {
  const found: TemplateHead[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer: { templates: TemplateHead[]; next: string | null } = await get("/workflow/templates", {
      query: { limit: PAGE, ...(cursor === null ? {} : { cursor }) },
    });
    found.push(...answer.templates);
    cursor = answer.next;
    if (cursor === null) break;
  }
  return found;
}

export const readTemplate = async (id: string): Promise<Template> =>
  (await get("/workflow/templates/{template_id}", { path: { template_id: id } })).template;

/** Keep a workflow under an id, in place of what was there. */
export async function keepTemplate(id: string, name: string, workflow: JsonObject): Promise<void> {
  const body = { ...workflow, name, steps: (workflow.steps ?? []) as JsonObject[] };
  await call("put", "/workflow/templates/{template_id}", { path: { template_id: id }, body });
  void readCatalogue();
}
