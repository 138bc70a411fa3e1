// What the account page asks for, in the server's words.
import { call, get, getTagged, type Tagged } from "../api/client";
import type { components } from "../api/schema.gen";
import type { Role } from "../api/types";

type Schemas = components["schemas"];
export type Session = Schemas["SessionShown"];
export type Token = Schemas["TokenShown"];
export type AuditRecord = Schemas["AuditEntry"];
export type CreatedToken = Schemas["CreatedToken"];

export interface AuditPage {
  records: AuditRecord[];
  next: number | null;
}

export const readSessions = (tag: string | null, signal: AbortSignal): Promise<Tagged<{ sessions: Session[] }>> => getTagged("/auth/sessions", tag, { signal });
export const endSession = (id: string) => call("delete", "/auth/sessions/{session_id}", { path: { session_id: id } });

export const readTokens = (tag: string | null, signal: AbortSignal): Promise<Tagged<{ tokens: Token[] }>> => getTagged("/auth/tokens", tag, { signal });
export const makeToken = (body: { name: string; user_name?: string; role: Role; days?: number }): Promise<CreatedToken> =>
  call("post", "/auth/tokens", { body }) as Promise<CreatedToken>;
export const deleteToken = (name: string) => call("delete", "/auth/tokens/{name}", { path: { name } });

export const readAudit = (cursor: number | null): Promise<AuditPage> => get("/audit", { query: { limit: 50, ...(cursor === null ? {} : { cursor }) } });
