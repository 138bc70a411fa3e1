import { describe, expect, it } from "vitest";

import { policyWords, retryWords } from "../../src/run/panel/policy";

const words = (policy: Parameters<typeof policyWords>[0], needs: string[] = [], total = needs.length) =>
  Object.fromEntries(policyWords(policy, needs, total).map(({ name, words: said }) => [name, said]));

describe("a policy in words", () => {
  it("tells limits, retries and what a failure means", () => {
    expect(words({ timeout_s: 90, retry: { max_attempts: 3, base_delay_s: 1, max_delay_s: 30, jitter: 0.2 }, on_failure: "fail", on_lost: "retry" }, ["a", "b"])).toEqual({
      Needs: "a, b",
      "Time limit": "1 m 30 s an attempt",
      Retries: "up to 3 attempts, after 1.0 s, twice as long each time, at most 30 s, give or take 20 %",
      "When it fails": "the run fails",
      "When its worker dies": "another worker runs it again",
    });
  });

  it("tells a condition, what stands in, and needs that are not named", () => {
    expect(words({ when: "steps.a.result.n > 3", on_failure: { fallback: { step: "plan-b" } } }, ["a"], 41)).toMatchObject({
      Needs: "a and 40 more", "Runs when": "steps.a.result.n > 3", "When it fails": "step plan-b stands in for it",
    });
    expect(words({ on_failure: { fallback: { value: [1] } } })).toEqual({ Needs: "no other step", "When it fails": "its result is [1]" });
    expect(words({ on_failure: "continue", on_lost: "fail" })).toMatchObject({ "When it fails": "the run goes on without it" });
  });

  it("tells when there are no retries, or even pauses", () => {
    expect(retryWords({ max_attempts: 1 })).toBe("none: one attempt that may fail");
    expect(retryWords({ max_attempts: 4, base_delay_s: 0 })).toBe("up to 4 attempts, at once");
    expect(retryWords({ max_attempts: 4, base_delay_s: 5, max_delay_s: 5 })).toBe("up to 4 attempts, after 5.0 s each");
  });
});
