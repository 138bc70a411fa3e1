import { useCallback, useRef, useState } from "preact/hooks";

import { paths } from "../router";
import { type Filters, tokensOf } from "./filters";
import { FilterPanel } from "./FilterPanel";
import { SearchField } from "./SearchField";
import "./filter-bar.css";

export interface FilterBarProps {
  filters: Filters;
  hosts: readonly string[];
  people: readonly string[];
  search: { current: HTMLInputElement | null };
  onFilter: (filters: Filters) => void;
}

/** Search, filters, and those in force as words that can be taken away. */
export function FilterBar({ filters, hosts, people, search, onFilter }: FilterBarProps) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const close = useCallback(() => {
    setOpen(false);
    button.current?.focus();
  }, []);
  const tokens = tokensOf(filters);
  return (
    <div class="filter-bar">
      <SearchField value={filters.text} field={search} onSearch={(text) => onFilter({ ...filters, text })} />
      <div class="filter-bar-more">
        <button type="button" class="button" ref={button} aria-expanded={open} aria-label="Filter" onClick={() => setOpen(!open)}>
          <svg width="14" height="14" viewBox="0 0 14 14" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" aria-hidden="true"><path d="M1.5 3h11M3.5 7h7M5.5 11h3" /></svg>
          <span class="filter-bar-word">Filter</span>
        </button>
        {open && <FilterPanel filters={filters} hosts={hosts} people={people} onApply={onFilter} close={close} />}
      </div>
      <a class="button primary filter-bar-start" href={paths.start()}>Start a run</a>
      {tokens.length > 0 && (
        <ul class="filter-bar-tokens" aria-label="Filters in force">
          {tokens.map((token) => (
            <li key={token.name} class="filter-token">
              <span class="truncate">{token.words}</span>
              <button type="button" aria-label={`Remove the filter: ${token.words}`} onClick={() => onFilter(token.without)}>×</button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
