import { useState } from "preact/hooks";

import { Problem } from "../api/client";
import { Dialog } from "../parts/Dialog";
import { messageOf } from "../parts/Failed";
import { say } from "../parts/notices";
import { keepTemplate, templates } from "./catalogue";
import { templateOf, type Draft } from "./draft";
import { sentence } from "./problems";
import type { Editor } from "./useEditor";

const ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** Keeps the workflow under an id for everybody, without its host. */
export function SaveTemplate({ editor, templateId, close, saved }: {
  editor: Editor;
  /** The template that is being edited. */
  templateId: string | null;
  close: () => void;
  saved: (id: string) => void;
}) {
  const { draft } = editor;
  const [name, setName] = useState(draft.name);
  const [id, setId] = useState(templateId ?? "");
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const shownId = id === "" ? slugOf(name) : id;
  const known = templates.value?.find((one) => one.template_id === shownId);
  const wrongId = shownId !== "" && !ID.test(shownId);

  async function save(): Promise<void> {
    if (shownId === "" || wrongId) return setFault("Give it an id.");
    setBusy(true);
    setFault(null);
    try {
      await keepTemplate(shownId, name.trim() || shownId, templateOf({ ...draft, name } satisfies Draft));
      say(`Template ${shownId} was kept.`, "said", { label: "Use it", href: `/start?template=${encodeURIComponent(shownId)}` });
      saved(shownId);
      close();
    } catch (error) {
      if (error instanceof Problem && error.where?.startsWith("/steps/")) editor.refused(error, draft, draft.steps.map((step) => step.id));
      setFault(error instanceof Problem ? [sentence(error.message), error.mend ? sentence(error.mend) : ""].join(" ") : messageOf(error));
      setBusy(false);
    }
  }

  return (
    <Dialog title="Save as template" close={close}>
      <form class="stack" onSubmit={(event) => { event.preventDefault(); void save(); }}>
        <div class="field">
          <label for="template-name">Name</label>
          <input id="template-name" type="text" value={name} maxLength={200} placeholder="Provision a host" onInput={(event) => setName(event.currentTarget.value)} />
        </div>
        <div class="field">
          <label for="template-id">Id</label>
          <input id="template-id" type="text" class="mono" value={id} placeholder={slugOf(name) || "provision"} spellcheck={false} autocomplete="off" autocapitalize="off" aria-invalid={wrongId || undefined} aria-describedby="template-id-hint" onInput={(event) => setId(event.currentTarget.value)} />
          <p class={wrongId ? "fault" : "hint"} id="template-id-hint">
            {wrongId ? "Letters, digits, . _ : and -, beginning with a letter or digit." : known ? `Replaces ${known.name}, last changed by ${known.updated_by}.` : "Programs start it by this id. Everybody may read it; the host is not kept in it."}
          </p>
        </div>
        {fault !== null && <p class="fault small" role="alert">{fault}</p>}
        <div class="dialog-actions">
          <button type="button" class="button" onClick={close}>Cancel</button>
          <button type="submit" class="button primary" disabled={busy || wrongId || shownId === ""}>{busy ? "Sent" : known ? "Replace the template" : "Save the template"}</button>
        </div>
      </form>
    </Dialog>
  );
}

/** `Provision a host` as `provision-a-host`. */
export const slugOf = (name: string): string =>
  name.normalize("NFKD").toLowerCase().replace(/[\u0300-\u036f]/g, "").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 100);
