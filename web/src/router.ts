// Where one is, is in the address and nowhere else: reload, back and another device lead to the same place.
import { computed, signal } from "@preact/signals";

export type StepTab = "log" | "result" | "attempts" | "trace" | "parameters";
export type RunView = "steps" | "timeline" | "graph" | "trace" | "data";

export type Route =
  | { page: "runs" }
  | { page: "run"; runId: string; view: RunView; step: string | null; tab: StepTab }
  | { page: "start" }
  | { page: "chat"; conversation: string | null }
  | { page: "ratings" }
  | { page: "workers" }
  | { page: "dashboard" }
  | { page: "alerts" }
  | { page: "account" }
  | { page: "unknown"; path: string };

/** Stands in the address where a conversation would. */
export const NEW_CHAT = "new";

const VIEWS: readonly string[] = ["steps", "timeline", "graph", "trace", "data"];
const TABS: readonly string[] = ["log", "result", "attempts", "trace", "parameters"];

const here = signal(new URL(location.href));
window.addEventListener("popstate", () => (here.value = new URL(location.href)));

export const route = computed(() => parse(here.value.pathname));
/** The part behind `?`: filters, the line of a log, the tab. Change it with `setQuery`. */
export const query = computed(() => here.value.searchParams);

/** Pages that are one address. */
const PLAIN = ["start", "workers", "dashboard", "alerts", "account"] as const;
const isPlain = (name: string): name is (typeof PLAIN)[number] => (PLAIN as readonly string[]).includes(name);

/** `/runs/<id>`, `/runs/<id>/timeline`, `/runs/<id>/steps/<key>/<tab>`, ... */
export function parse(path: string): Route {
  const parts = partsOf(path);
  if (parts === null) return { page: "unknown", path };
  const [first = "", id, second, third, fourth] = parts;
  if (first === "" || (first === "runs" && id === undefined)) return { page: "runs" };
  if (first === "runs" && id !== undefined) {
    if (second === "steps" && third !== undefined) {
      const tab = fourth !== undefined && TABS.includes(fourth) ? (fourth as StepTab) : "log";
      return { page: "run", runId: id, view: "steps", step: third, tab };
    }
    const view = second !== undefined && VIEWS.includes(second) ? (second as RunView) : "steps";
    return { page: "run", runId: id, view, step: null, tab: "log" };
  }
  if (first === "chat" && second === undefined) return id === "ratings" ? { page: "ratings" } : { page: "chat", conversation: id ?? null };
  if (isPlain(first) && id === undefined) return { page: first };
  return { page: "unknown", path };
}

/** Null where the address is broken: `%` without the two digits of a byte, or bytes that are no text. */
function partsOf(path: string): string[] | null {
  try {
    return path.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return null;
  }
}

export const paths = {
  runs: () => "/runs",
  run: (runId: string, view: RunView = "steps") => `/runs/${encodeURIComponent(runId)}${view === "steps" ? "" : `/${view}`}`,
  step: (runId: string, key: string, tab: StepTab = "log") =>
    `/runs/${encodeURIComponent(runId)}/steps/${encodeURIComponent(key)}${tab === "log" ? "" : `/${tab}`}`,
  start: () => "/start",
  /** Of a conversation; `NEW_CHAT` is one that has not begun, null the list of all. */
  chat: (conversation: string | null = null) => (conversation === null ? "/chat" : `/chat/${encodeURIComponent(conversation)}`),
  ratings: () => "/chat/ratings",
  workers: () => "/workers",
  dashboard: () => "/dashboard",
  alerts: () => "/alerts",
  account: () => "/account",
};

/** Go somewhere, as a link does; `replace` leaves no entry to go back to. */
export function go(to: string, { replace = false }: { replace?: boolean } = {}): void {
  const target = new URL(to, location.href);
  if (target.href === here.value.href) return;
  if (replace) history.replaceState(null, "", target);
  else history.pushState(null, "", target);
  here.value = target;
}

/** Set or, with null, remove parts of the query; without an entry to go back to. */
export function setQuery(values: Record<string, string | null>): void {
  const target = new URL(here.value);
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === "") target.searchParams.delete(name);
    else target.searchParams.set(name, value);
  }
  go(target.href, { replace: true });
}

/** For the frame: clicks on links within the page go without loading it again. */
export function followLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.("a");
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (parse(link.pathname).page === "unknown") return;
  event.preventDefault();
  go(link.href);
}
