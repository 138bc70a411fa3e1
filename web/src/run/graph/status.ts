import { shownStepStatus, type Status } from "../../theme/statuses";
import type { StepState } from "../../api/types";
import type { GraphNode } from "./groups";

export interface NodeStatus {
  status: Status;
  percent: number | null;
  /** Of a group: how many of its steps have ended. */
  ended: number;
}

const WORST: readonly Status[] = ["failed", "in_progress", "stopping", "waiting", "ready", "pending", "cancelled", "completed", "skipped"];
const ENDED: readonly Status[] = ["completed", "failed", "skipped", "cancelled"];

/** The status of a node: of a group, what most wants to be seen. */
export function statusOf(node: GraphNode, byKey: ReadonlyMap<string, StepState>): NodeStatus {
  const steps = node.keys.flatMap((key) => byKey.get(key) ?? []);
  const statuses = steps.map(shownStepStatus);
  const ended = statuses.filter((status) => ENDED.includes(status)).length;
  const status = WORST.find((one) => statuses.includes(one)) ?? "pending";
  if (steps.length === 1) return { status, percent: steps[0]!.progress?.percent ?? null, ended };
  return { status, percent: steps.length === 0 ? null : (ended / steps.length) * 100, ended };
}
