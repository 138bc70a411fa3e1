import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { getTagged } from "../api/client";
import { bindKeys } from "../keys";
import { pollList } from "../live/list";
import { Failed } from "../parts/Failed";
import { query, setQuery } from "../router";
import { me, whyNotOperator } from "../session";
import type { Bulk } from "./bulk";
import { BulkBar } from "./BulkBar";
import { BulkDialog } from "./BulkDialog";
import { FilterBar } from "./FilterBar";
import { type Filters, filtersOf, isFiltered, NO_FILTERS, queryOf, toggled } from "./filters";
import { keepPlace, knownBefore, leave, placeHere } from "./place";
import { PAGE, sameFilters, watchRuns } from "./run-list";
import { RunRows } from "./RunRows";
import { extend, NOTHING, type Selection, toggle, within } from "./selection";
import { StatusChips } from "./StatusChips";
import { Ending } from "./Ending";
import { NewRuns } from "./NewRuns";
import { NoRuns, RowsSkeleton, StaleLine } from "./Unfilled";
import type { InView } from "./useRowsInView";
import { useRowKeys } from "./useRowKeys";
import { useShownRuns } from "./useShownRuns";
import "./runs.css";

const MOST_RESTORED = 1000;

/** All runs, newest first, live. */
export default function RunsPage() {
  const filters = useFilters();
  const [place] = useState(placeHere);
  const [list] = useState(() => watchRuns(filters, knownBefore(filters, place !== null)));
  const [counts] = useState(() => pollList((tag, signal) => getTagged("/workflow/runs/counts", tag, { signal })));
  useEffect(() => () => {
    leave(list.of.peek(), list.loaded.peek());
    list.close();
    counts.close();
  }, []);
  useEffect(() => list.ask(filters), [filters]);

  const [selection, setSelection] = useState<Selection>(NOTHING);
  const [bulk, setBulk] = useState<Bulk | null>(null);
  const [view, setView] = useState<InView>({ span: { first: 0, end: 0 }, scrolled: false });
  const [pointing, setPointing] = useState(false);
  const search = useRef<HTMLInputElement>(null);

  const loaded = list.loaded.value;
  const shown = useShownRuns(loaded, view.scrolled || pointing, list.of.value);
  const rows = shown.rows;
  const order = useMemo(() => rows.map((row) => row.run.workflow_id), [rows]);
  useEffect(() => setSelection((old) => within(old, new Set(order))), [order]);
  useSeen(list, rows, view);
  usePlace(list, place);

  const changed = !sameFilters(list.of.value, filters);
  const error = list.error.value;
  const filter = (next: Filters) => setQuery(queryOf(next));
  const select = (id: string, range: boolean) => setSelection((old) => (range ? extend(old, id, order) : toggle(old, id)));
  const selected = useMemo(() => rows.filter((row) => selection.ids.has(row.run.workflow_id)).map((row) => row.run), [rows, selection]);
  const release = () => {
    shown.release();
    scrollTo({ top: 0 });
  };
  useRowKeys({ order, select: (id) => select(id, false) });
  useEffect(() => bindKeys([{ keys: "/", label: "Search runs", group: "List", act: () => { search.current?.focus(); search.current?.select(); } }]), []);
  useEffect(() => (selected.length === 0 ? undefined : bindBulkKeys(setBulk, () => setSelection(NOTHING))), [selected.length === 0]);

  const hosts = useMemo(() => [...new Set(rows.map((row) => row.run.host).filter((host) => host !== null))].sort(), [rows]);
  const people = useMemo(() => [...new Set([...(me.value ? [me.value.name] : []), ...rows.map((row) => row.run.started_by)])], [rows, me.value]);
  const whole = loaded !== null && loaded.next === null;
  return (
    <div class="runs">
      <h1 class="sr-only">Runs</h1>
      <FilterBar filters={filters} hosts={hosts} people={people} search={search} onFilter={filter} />
      <StatusChips
        counted={counts.data.value} chosen={filters.statuses}
        onToggle={(status) => filter(toggled(filters, status))} onAll={() => filter({ ...filters, statuses: [] })}
      />
      {loaded === null ? (
        error !== null ? <Failed error={error} retry={() => void list.refresh()} /> : <RowsSkeleton />
      ) : changed && error !== null ? (
        <Failed error={error} retry={() => void list.refresh()} />
      ) : rows.length === 0 && whole && !changed ? (
        <NoRuns filtered={isFiltered(filters)} clear={() => filter(NO_FILTERS)} />
      ) : (
        <RunRows
          rows={rows} fresh={shown.fresh} selection={selection} total={whole ? rows.length : null} stale={error !== null || changed} busy={changed}
          onSelect={select} onView={setView} onPoint={setPointing}
          onSelectAll={() => setSelection((old) => (order.every((id) => old.ids.has(id)) ? NOTHING : { ids: new Set(order), from: null }))}
        >
          <div class="runs-over">
            {error !== null && !changed && <StaleLine asOf={list.asOf.value} error={error} />}
            <NewRuns waiting={shown.waiting} gone={shown.gone} more={loaded.runs.length <= PAGE && shown.waiting >= PAGE} onShow={release} />
          </div>
        </RunRows>
      )}
      {loaded !== null && !changed && (
        <Ending
          count={rows.length} next={loaded.next} older={list.older.value} looked={list.looked.value} filtered={isFiltered(filters)}
          onMore={() => void list.loadOlder()}
        />
      )}
      {selected.length > 0 && <BulkBar runs={selected} whyNot={whyNotOperator.value} onBulk={setBulk} onClear={() => setSelection(NOTHING)} />}
      {bulk !== null && (
        <BulkDialog bulk={bulk} runs={selected} close={() => setBulk(null)} onDone={() => { void list.refresh(); void counts.refresh(); }} />
      )}
    </div>
  );
}

/** The filters in the address; the same object while they are the same. */
function useFilters(): Filters {
  const last = useRef<Filters>(NO_FILTERS);
  const asked = filtersOf(query.value);
  if (!sameFilters(asked, last.current)) last.current = asked;
  return last.current;
}

/** Keep what is in view up to date, when it is not on the newest page. */
function useSeen(list: ReturnType<typeof watchRuns>, rows: readonly { run: { cursor: number } }[], view: InView) {
  const first = Math.floor(view.span.first / 25) * 25;
  const before = first < PAGE / 2 ? null : rows[first - 1]?.run.cursor ?? null;
  const count = view.span.end - first;
  useEffect(() => {
    const timer = setTimeout(() => list.see(before, count), 300);
    return () => clearTimeout(timer);
  }, [before, count]);
}

/** Back and reload lead to where one was; where one is, is kept while one scrolls. */
function usePlace(list: ReturnType<typeof watchRuns>, place: ReturnType<typeof placeHere>) {
  const restored = useRef(place === null);
  const known = list.loaded.value;
  const older = list.older.value;
  useLayoutEffect(() => {
    if (restored.current || place === null || known === null) return;
    const wanted = Math.min(place.count, MOST_RESTORED);
    if (known.runs.length < wanted && known.next !== null && older.kind === "idle") return void list.loadOlder();
    if (older.kind === "loading") return;
    restored.current = true;
    scrollTo({ top: place.top });
  }, [known, older]);
  useEffect(() => {
    let timer = 0;
    const href = location.pathname;
    const soon = () => {
      clearTimeout(timer);
      if (!restored.current) return;
      timer = window.setTimeout(() => {
        if (location.pathname === href) keepPlace({ top: scrollY, count: list.loaded.peek()?.runs.length ?? 0 });
      }, 120);
    };
    addEventListener("scroll", soon, { passive: true });
    return () => {
      clearTimeout(timer);
      removeEventListener("scroll", soon);
    };
  }, []);
}

function bindBulkKeys(open: (bulk: Bulk) => void, clear: () => void): () => void {
  const may = (bulk: Bulk) => () => { if (whyNotOperator.peek() === null) open(bulk); };
  return bindKeys([
    { keys: "s", label: "Stop the selected runs", group: "List", act: may("stop") },
    { keys: "p", label: "Pause the selected runs", group: "List", act: may("pause") },
    { keys: "r", label: "Retry the selected runs", group: "List", act: may("retry") },
    { keys: "Escape", label: "Select none", group: "List", act: clear },
  ]);
}
