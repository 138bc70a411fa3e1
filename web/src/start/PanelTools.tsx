import type { JsonObject } from "../api/types";
import { Menu, type MenuItem } from "../parts/Menu";
import { CopyMenu } from "./CopyMenu";

/** What else can be done with what is in the form: take it elsewhere, keep it, begin again. On a narrow screen one menu holds all. */
export function PanelTools({ workflow, save, why, more }: { workflow: () => JsonObject; save: () => void; why: string | null; more: MenuItem[] }) {
  const keep: MenuItem = { label: "Save as template…", act: save, reason: why };
  return (
    <>
      <span class="start-tools-wide">
        <CopyMenu workflow={workflow} />
        <button type="button" class="button" disabled={why !== null} title={why ?? undefined} onClick={save}>Save as template</button>
        <Menu label="More" className="button plain icon" items={more}>
          <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><path d="M3.5 8v0M8 8v0M12.5 8v0" stroke="currentColor" stroke-width="2.5" stroke-linecap="round" /></svg>
          <span class="sr-only">More</span>
        </Menu>
      </span>
      <span class="start-tools-narrow"><CopyMenu workflow={workflow} more={[keep, ...more]} label="More" /></span>
    </>
  );
}
