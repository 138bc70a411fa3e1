import { describe, expect, it } from "vitest";

import type { Json } from "../../src/api/types";
import { draftOf, workflowOf } from "../../src/start/draft";
import { validate } from "../../src/start/form/validate";
import { OPTIONS_SCHEMA, POLICY_SCHEMA } from "../../src/start/policySchema";

const faults = (policy: Parameters<typeof validate>[1]) => Object.keys(validate(POLICY_SCHEMA, policy, { references: false }));
const POLICY = {
  locks: [{ name: "file:{{ params.path }}", shared: true, hold: "run" }],
  lock_wait_s: 30,
  concurrency: { key: "gpu", limit: 2 },
  rate_limits: [{ name: "openai", limit: 10, per_s: 60 }],
  breaker: { name: "openai", failure_threshold: 3, failure_rate: 0.5, recovery_s: 20, on_open: "fail", counts: ["http.5"] },
  retry: { strategy: "decorrelated", budget_s: 600, on: { "http.429": { max_attempts: 9 }, "http.4": { retry: false } } },
};

describe("what a step says of what it shares with others", () => {
  it("is kept by the form as it was written", () => {
    const workflow = { name: "Ask", kind: "background", priority: 1, steps: [{ key: "a", action: "noop", ...POLICY }] };
    expect(workflowOf(draftOf(workflow)).workflow).toEqual(workflow);
  });

  it("has the bounds of the server", () => {
    expect(faults(POLICY)).toEqual([]);
    expect(faults({ locks: [{ shared: true }] })).toEqual(["/locks/0/name"]);
    expect(faults({ locks: Array.from({ length: 17 }, (_, at) => ({ name: `l${at}` })) })).toEqual(["/locks"]);
    expect(faults({ concurrency: { key: "gpu", limit: 0 } })).toEqual(["/concurrency/limit"]);
    expect(faults({ rate_limits: [{ name: "openai", limit: 1.5 }] })).toEqual(["/rate_limits/0/limit"]);
    expect(faults({ breaker: { name: "openai", failure_rate: 2 } })).toEqual(["/breaker/failure_rate"]);
    expect(faults({ retry: { strategy: "linear" } })).toEqual(["/retry/strategy"]);
    expect(Object.keys(validate(OPTIONS_SCHEMA, { kind: "nightly", priority: 21 }, { references: false }))).toEqual(["/kind", "/priority"]);
  });

  it.each<Json>([{ cached: true, max_age_s: 60 }, { action: "noop", params: {} }, [{ cached: true }, { value: null }]])("lets what stands in be %j", (fallback) => {
    expect(faults({ on_failure: { fallback } })).toEqual([]);
  });
});
