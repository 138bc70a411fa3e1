// What is asked for about alerts, in the server's words.
import { get, getTagged, post, type Tagged } from "../api/client";
import type { components } from "../api/schema.gen";

type Schemas = components["schemas"];
export type Alert = Schemas["AlertShown"];
export type AlertChange = Schemas["AlertChangeShown"];
export type AlertPage = Schemas["AlertsAnswer"];

const PAGE = 50;
const PATH = "/api/orchestration/alerts";

/** The first page: the open ones, then the newest that are over. */
export const readAlerts = (tag: string | null, signal: AbortSignal): Promise<Tagged<AlertPage>> => getTagged(PATH, tag, { query: { limit: PAGE }, signal });

/** The page behind this cursor. */
export const readOlder = (cursor: string) => get(PATH, { query: { limit: PAGE, cursor } });

export const readOne = (id: number) => get("/api/orchestration/alerts/{alert_id}", { path: { alert_id: id } });

export const settle = (act: "acknowledge" | "resolve", id: number, note: string) => {
  const options = { path: { alert_id: id }, body: { note: note.trim() === "" ? null : note.trim() } };
  return act === "acknowledge" ? post("/api/orchestration/alerts/{alert_id}/acknowledge", options) : post("/api/orchestration/alerts/{alert_id}/resolve", options);
};
