// Whether a press beside a dialog would lose what somebody has typed in it.

/** Fields that make something: those of forms, and texts. A search or a choice of what is shown is made again at once. */
const MAKES = "form, textarea";

export interface Typed {
  /** To be told each input event of the dialog. */
  note: (field: Element) => void;
  /** Whether what was typed stands in it still: a form that was sent and is gone holds nothing. */
  isIn: (dialog: Element) => boolean;
}

export function typedIn(): Typed {
  const fields = new Set<Element>();
  return {
    note: (field) => { if (field.closest(MAKES) !== null) fields.add(field); },
    isIn: (dialog) => [...fields].some((field) => dialog.contains(field)),
  };
}
