// What the account page asks for, in the server's words.
import { call, get, getTagged, type Tagged } from "../api/client";
import type { components } from "../api/schema.gen";
import type { Role } from "../api/types";

type Schemas = components["schemas"];
export type Token = Schemas["TokenShown"];
export type AuditRecord = Schemas["AuditEntry"];
export type CreatedToken = Schemas["CreatedToken"];

export interface AuditPage {
  records: AuditRecord[];
  next: number | null;
}

export interface Session {
  id: string;
  token: string;
  user_name: string;
  created_at: string;
  expires_at: string;
  user_agent: string | null;
  address: string | null;
  current: boolean;
}
type Loosely = (path: string, tag: string | null, options: object) => Promise<Tagged<unknown>>;
export const readSessions = (tag: string | null, signal: AbortSignal) =>
  (getTagged as unknown as Loosely)("/auth/sessions", tag, { signal }) as Promise<Tagged<{ sessions: Session[] }>>;
export const endSession = (id: string) =>
  (call as unknown as (method: string, path: string, options: object) => Promise<unknown>)("delete", "/auth/sessions/{id}", { path: { id } });

export const readTokens = (tag: string | null, signal: AbortSignal): Promise<Tagged<{ tokens: Token[] }>> => getTagged("/auth/tokens", tag, { signal });
export const makeToken = (body: { name: string; user_name?: string; role: Role; days?: number }): Promise<CreatedToken> =>
  call("post", "/auth/tokens", { body }) as Promise<CreatedToken>;
export const deleteToken = (name: string) => call("delete", "/auth/tokens/{name}", { path: { name } });

export const readAudit = (cursor: number | null): Promise<AuditPage> => get("/audit", { query: { limit: 50, ...(cursor === null ? {} : { cursor }) } });
