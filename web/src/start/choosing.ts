// A template is put into the form once it was read; of several that were chosen meanwhile only the last one.
import type { JsonObject, Template } from "../api/types";
import { draftOf, type Draft } from "./draft";

export interface Chooser {
  /** The form with this template, in place of what `shown` gives by then; null when something else was done meanwhile. Throws what `read` throws. */
  choose: (id: string, shown: () => Draft) => Promise<Draft | null>;
  /** What was chosen and is not read yet is not wanted any more. */
  drop: () => void;
}

export function chooser(read: (id: string) => Promise<Template>): Chooser {
  let last = 0;
  return {
    async choose(id, shown) {
      const mine = (last += 1);
      try {
        const template = await read(id);
        return mine === last ? withTemplate(template, shown()) : null;
      } catch (error) {
        if (mine === last) throw error;
        return null;
      }
    },
    drop: () => { last += 1; },
  };
}

/** The steps of a template, for the host that is typed already and at its pace where the template has none. */
function withTemplate(template: Template, shown: Draft): Draft {
  const next = draftOf(template.workflow as JsonObject, { name: template.name, templateId: template.template_id, connection: shown.connection });
  return { ...next, delay: next.delay === "" ? shown.delay : next.delay };
}
