/** Put the focus into the field of a place, or of the nearest one around it that is shown. */
export function focusPlace(root: ParentNode, place: string): boolean {
  for (let at = place; ; at = at.slice(0, at.lastIndexOf("/"))) {
    const field = root.querySelector<HTMLElement>(`[data-place="${CSS.escape(at)}"]`);
    const control =
      field?.querySelector<HTMLElement>('[aria-invalid="true"]') ??
      field?.querySelector<HTMLElement>("input:not(:disabled), select:not(:disabled):not(.form-option), textarea:not(:disabled)") ??
      field?.querySelector<HTMLElement>("button:not(:disabled):not(.form-refer)");
    if (control) {
      control.focus({ preventScroll: true });
      (field ?? control).scrollIntoView({ block: "center" });
      return true;
    }
    if (!at.includes("/")) return false;
  }
}
