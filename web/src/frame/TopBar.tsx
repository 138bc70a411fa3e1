import { paths, route } from "../router";
import { AccountMenu } from "./AccountMenu";
import { ConnectionWord } from "./ConnectionWord";
import { openPalette } from "./frame-keys";
import { PerdureMark, SearchIcon } from "./icons";
import { keysShown } from "./keys-shown";
import { heading } from "./title";

/** Where one is, the search, how what is shown is kept up to date, and who one is. */
export function TopBar() {
  const within = route.value.page === "run";
  const keys = keysShown("mod+k").join(" ");
  return (
    <header class="top-bar">
      <div class="top-bar-place">
        <a class="top-bar-brand" href={paths.runs()} aria-label="All runs"><PerdureMark /></a>
        {within && <><a class="top-bar-up" href={paths.runs()}>Runs</a><span class="top-bar-slash" aria-hidden="true">/</span></>}
        <span class="top-bar-heading truncate" title={within ? heading.value : undefined}>{heading.value}</span>
      </div>
      <ConnectionWord />
      <button type="button" class="top-bar-search" aria-label={`Search and commands ${keys}`} aria-haspopup="dialog" aria-keyshortcuts="Control+K Meta+K" onClick={openPalette}>
        <SearchIcon size={16} /><span class="top-bar-search-word">Search and commands</span>{" "}<kbd>{keys}</kbd>
      </button>
      <AccountMenu />
    </header>
  );
}
