// Which runs are wanted. The address holds it all, so that a link, a reload and another device show the same list.
import type { paths } from "../api/schema.gen";
import type { RunShown } from "../api/types";

export type ListStatus = RunShown["status"];
export type RunsQuery = NonNullable<paths["/workflow/runs"]["get"]["parameters"]["query"]>;

export interface Filters {
  /** None: all. */
  statuses: readonly ListStatus[];
  text: string;
  template: string;
  host: string;
  /** The name of who started it. */
  by: string;
  /** A span such as `24h` or `7d` until now, or a local time such as `2026-11-20T10:00`; empty: any. */
  since: string;
  /** A local time; empty: until now. */
  until: string;
}

export const STATUS_ORDER: readonly ListStatus[] = ["running", "pending", "paused", "failed", "completed", "cancelled"];
export const NO_FILTERS: Filters = { statuses: [], text: "", template: "", host: "", by: "", since: "", until: "" };

/** Spans that are offered, in words. */
export const SPANS: readonly { span: string; words: string }[] = [
  { span: "1h", words: "the last hour" },
  { span: "24h", words: "the last 24 hours" },
  { span: "7d", words: "the last 7 days" },
  { span: "30d", words: "the last 30 days" },
];

const SPAN = /^([1-9]\d{0,3})([hd])$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/;

/** What the part of the address behind `?` asks for. What does not make sense is left out, never an error. */
export function filtersOf(query: URLSearchParams): Filters {
  const asked = (query.get("status") ?? "").split(",");
  const since = query.get("since") ?? "";
  const until = query.get("until") ?? "";
  return {
    statuses: STATUS_ORDER.filter((status) => asked.includes(status)),
    text: (query.get("q") ?? "").slice(0, 200),
    template: (query.get("template") ?? "").slice(0, 128),
    host: (query.get("host") ?? "").slice(0, 300),
    by: (query.get("by") ?? "").slice(0, 100),
    since: SPAN.test(since) || isMoment(since) ? since : "",
    until: isMoment(until) ? until : "",
  };
}

/** The same as parts of the address; null where there is nothing to say. */
export function queryOf(filters: Filters): Record<string, string | null> {
  return {
    status: filters.statuses.join(",") || null,
    q: filters.text || null,
    template: filters.template || null,
    host: filters.host || null,
    by: filters.by || null,
    since: filters.since || null,
    until: filters.until || null,
  };
}

/** What the server is asked. A span counts from the whole minute, so that asking again is asking the same. */
export function askedOf(filters: Filters, nowMs: number): RunsQuery {
  const text = filters.text.trim();
  const after = startOf(filters.since, nowMs);
  return {
    ...(filters.statuses.length > 0 ? { status: [...filters.statuses] } : {}),
    ...(text ? { q: text } : {}),
    ...(filters.template ? { template_id: filters.template } : {}),
    ...(filters.host.trim() ? { host: filters.host.trim() } : {}),
    ...(filters.by ? { created_by: filters.by } : {}),
    ...(after !== null ? { started_after: new Date(after).toISOString() } : {}),
    ...(filters.until ? { started_before: new Date(filters.until).toISOString() } : {}),
  };
}

/** Whether the server looks through runs one by one for it, so that a page may be short and the list still go on. */
export const isSearch = (filters: Filters): boolean => [filters.text.trim(), filters.template, filters.host.trim(), filters.by].some((part) => part !== "");

export const isFiltered = (filters: Filters): boolean => filters.statuses.length > 0 || isSearch(filters) || filters.since !== "" || filters.until !== "";

export interface Token {
  name: string;
  words: string;
  /** What is asked for when this one is taken away. */
  without: Filters;
}

/** The filters that are not seen elsewhere, as words that can be taken away one by one. */
export function tokensOf(filters: Filters): Token[] {
  const tokens: Token[] = [];
  const token = (name: string, words: string, without: Partial<Filters>) => tokens.push({ name, words, without: { ...filters, ...without } });
  if (filters.template) token("template", `template ${filters.template}`, { template: "" });
  if (filters.host) token("host", `host ${filters.host}`, { host: "" });
  if (filters.by) token("by", `by ${filters.by}`, { by: "" });
  if (filters.since) token("since", `started ${sinceWords(filters.since)}`, { since: "" });
  if (filters.until) token("until", `started before ${momentWords(filters.until)}`, { until: "" });
  return tokens;
}

/** One status more or one less. */
export function toggled(filters: Filters, status: ListStatus): Filters {
  const on = filters.statuses.includes(status);
  return { ...filters, statuses: STATUS_ORDER.filter((one) => (one === status ? !on : filters.statuses.includes(one))) };
}

function startOf(since: string, nowMs: number): number | null {
  const [, count, unit] = SPAN.exec(since) ?? [];
  if (count === undefined) return since === "" ? null : new Date(since).getTime();
  const minute = Math.floor(nowMs / 60_000) * 60_000;
  return minute - Number(count) * (unit === "h" ? 3_600_000 : 86_400_000);
}

function sinceWords(since: string): string {
  const known = SPANS.find(({ span }) => span === since);
  if (known) return `in ${known.words}`;
  const [, count, unit] = SPAN.exec(since) ?? [];
  return count === undefined ? `after ${momentWords(since)}` : `in the last ${count} ${unit === "h" ? "hours" : "days"}`;
}

const momentWords = (moment: string): string => moment.replace("T", " ");
const isMoment = (text: string): boolean => MOMENT.test(text) && Number.isFinite(new Date(text).getTime());
