import { describe, expect, it } from "vitest";

import type { Metrics } from "../../src/dashboard/answer";
import { MOST, usageOf } from "../../src/dashboard/usage";

const used = (name: string, cpuMs: number, receivedBytes = 0, peakMemoryBytes: number | null = 1000) =>
  ({ name, cpuMs, receivedBytes, peakMemoryBytes, sentBytes: 1, promptTokens: 0, completionTokens: 0, measured: 1 });
type Given = Pick<Metrics, "agents" | "hosts" | "actions">;
const metrics = (given: Partial<Record<keyof Given, unknown[]>>) => usageOf({ agents: [], hosts: [], actions: [], ...given } as Given);

describe("what work used", () => {
  it("is told by agent, host and action, the heaviest first", () => {
    const groups = metrics({
      agents: [used("nlp", 5), used("vision", 9)],
      hosts: [{ host: "gpu-1", figures: used("", 3) }, { host: "idle", figures: null }],
      actions: [used("a", 1, 5), used("b", 1, 9)],
    });
    expect(groups.map((group) => [group.word, ...group.rows.map((row) => row.name)])).toEqual([
      ["Agent", "vision", "nlp"], ["Host", "gpu-1"], ["Action", "b", "a"],
    ]);
  });

  it("leaves out what was not measured", () => {
    expect(metrics({ actions: [{ ...used("noop", 0, 0, null), sentBytes: 0 }] })).toEqual([]);
  });

  it("counts those that are too many to show", () => {
    const [group] = metrics({ actions: Array.from({ length: MOST + 3 }, (_, n) => used(`a${n}`, n)) });
    expect([group?.rows.length, group?.more]).toEqual([MOST, 3]);
  });
});
