import type { AuditRecord } from "./answers";

/** The run that a record is about, null when it is about something else. */
export function runOf(record: Pick<AuditRecord, "action" | "target">): string | null {
  return record.action.startsWith("workflow.") && record.target !== "" && !record.action.startsWith("workflow.template") ? record.target : null;
}

/** `workflow.start` is `workflow start`, `auth.sign_in` is `sign in`. */
export function actionInWords(action: string): string {
  return action.replace(/^auth\./, "").replaceAll(/[._]/g, " ");
}
