// What the page asks for, in the server's words.
import { getTagged, type Tagged } from "../api/client";
import type { components } from "../api/schema.gen";

type Schemas = components["schemas"];
export type Metrics = Schemas["MetricsAnswer"];
export type Flow = Schemas["FlowAnswer"];
export type Health = Schemas["HealthShown"];
export type Figures = Schemas["NamedFigures"];
export type Point = Schemas["Point"];
export type Trend = Schemas["Trend"];
export type Breaker = Schemas["BreakerShown"];
export type BreakerChange = Schemas["BreakerChangeShown"];
export type RateLimit = Schemas["RateLimitShown"];
export type Lock = Schemas["LockShown"];
export type LockHolder = Schemas["LockHolder"];
export type WaitedOn = Schemas["WaitedOn"];
export type QueueFigures = Schemas["QueueFigures"];
export type HostFigures = Schemas["HostFigures"];
export type ErrorPattern = Schemas["ErrorPattern"];
export type WindowName = Metrics["window"];

export const readMetrics = (window: WindowName) => (tag: string | null, signal: AbortSignal): Promise<Tagged<Metrics>> =>
  getTagged("/api/orchestration/metrics", tag, { query: { window }, signal });

export const readFlow = (tag: string | null, signal: AbortSignal): Promise<Tagged<Flow>> =>
  getTagged("/api/orchestration/flow", tag, { signal });
