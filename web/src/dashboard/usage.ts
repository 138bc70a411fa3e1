// What work used in the window, by agent, host and action: the heaviest first.
import type { Metrics } from "./answer";

export interface UsageRow {
  name: string;
  cpuMs: number;
  peakMemoryBytes: number | null;
  sentBytes: number;
  receivedBytes: number;
  promptTokens: number;
  completionTokens: number;
}

export interface UsageGroup {
  word: string;
  rows: UsageRow[];
  /** How many that used less are not among the rows. */
  more: number;
  /** Whether any of it asked a model. */
  hasTokens: boolean;
}

export const MOST = 8;

/** The groups that have something to tell. */
export function usageOf({ agents, hosts, actions }: Pick<Metrics, "agents" | "hosts" | "actions">): UsageGroup[] {
  const onHosts = hosts.flatMap((host) => (host.figures === null ? [] : [{ ...host.figures, name: host.host }]));
  return [group("Agent", agents), group("Host", onHosts), group("Action", actions)].filter((one) => one.rows.length > 0);
}

function group(word: string, all: readonly UsageRow[]): UsageGroup {
  const measured = all.filter((row) => row.peakMemoryBytes !== null || row.cpuMs > 0 || row.sentBytes + row.receivedBytes > 0);
  const heaviest = [...measured].sort((one, other) => other.cpuMs - one.cpuMs || other.receivedBytes - one.receivedBytes);
  const rows = heaviest.slice(0, MOST);
  return { word, rows, more: Math.max(0, measured.length - MOST), hasTokens: rows.some((row) => row.promptTokens + row.completionTokens > 0) };
}
