// What a step and a workflow may say about how they run; the same bounds as schemas/workflow.py, retry.py and flow.py.
import type { Schema } from "./form/schema";

const WEEK_S = 604_800;
const DAY_S = 86_400;
const MONTH_S = 2_592_000;
/** What is shared goes by a name, which may hold references. */
const NAME: Schema = { type: "string", minLength: 1, maxLength: 300, title: "Name" };
const KEY = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$";

export const POLICY_SCHEMA: Schema = {
  type: "object",
  additionalProperties: false,
  properties: {
    when: { type: "string", maxLength: 500, title: "Only when", description: "a condition such as steps.scan.result.count > 3; else it is skipped" },
    timeout_s: { type: "number", exclusiveMinimum: 0, maximum: WEEK_S, title: "Time limit", description: "of one attempt; unset: the action's" },
    delay_s: { type: "number", minimum: 0, maximum: WEEK_S, title: "Wait before it", description: "unset: as between all steps" },
    on_lost: { enum: ["retry", "fail"], title: "When its worker dies", description: "unset: repeated if that is safe" },
    retry: {
      type: "object",
      additionalProperties: false,
      title: "Retry",
      description: "unset: the action's",
      properties: {
        max_attempts: { type: "integer", minimum: 1, maximum: 1000, default: 3, title: "Tries in all" },
        base_delay_s: { type: "number", minimum: 0, maximum: 86_400, default: 1, title: "First delay" },
        max_delay_s: { type: "number", minimum: 0, maximum: WEEK_S, default: 30, title: "Longest delay" },
        strategy: { enum: ["bounded", "full", "decorrelated"], default: "bounded", title: "How delays are spread", description: "bounded: by the random spread; full: from nothing to all of the delay; decorrelated: by the one before" },
        jitter: { type: "number", minimum: 0, maximum: 1, default: 0.2, title: "Random spread", description: "of bounded, as a part of the delay, 0 to 1" },
        budget_s: { type: "number", exclusiveMinimum: 0, maximum: MONTH_S, title: "Time for all tries", description: "no retry begins so long after the first try; unset: no limit" },
        on: {
          type: "object", maxProperties: 20, title: "Otherwise for some errors", description: "by the error's code, or how codes begin, such as http.5",
          additionalProperties: {
            type: "object", additionalProperties: false,
            properties: {
              retry: { type: "boolean", title: "Try again" },
              max_attempts: { type: "integer", minimum: 1, maximum: 1000, title: "Tries in all" },
              base_delay_s: { type: "number", minimum: 0, maximum: DAY_S, title: "First delay" },
              max_delay_s: { type: "number", minimum: 0, maximum: WEEK_S, title: "Longest delay" },
            },
          },
        },
      },
    },
    locks: {
      type: "array", maxItems: 16, title: "Locks", description: "held while it runs; taken all together or not at all",
      items: {
        type: "object", required: ["name"], additionalProperties: false,
        properties: {
          name: { ...NAME, description: "such as file:/srv/db.sqlite" },
          shared: { type: "boolean", default: false, title: "Shared", description: "held beside others that share it" },
          hold: { enum: ["step", "run"], default: "step", title: "Held until the end of the" },
        },
      },
    },
    concurrency: {
      type: "object", required: ["key", "limit"], additionalProperties: false, title: "At most so many at a time",
      properties: {
        key: { ...NAME, title: "Of all that name" },
        limit: { type: "integer", minimum: 1, maximum: 100_000, title: "At most" },
      },
    },
    lock_wait_s: { type: "number", exclusiveMinimum: 0, maximum: WEEK_S, title: "Longest wait for locks and places", description: "then it fails; unset: no limit" },
    rate_limits: {
      type: "array", maxItems: 4, title: "Rate limits", description: "shared by all workers",
      items: {
        type: "object", required: ["name"], additionalProperties: false,
        properties: {
          name: { ...NAME, description: "such as openai" },
          limit: { type: "integer", minimum: 1, maximum: 1_000_000, title: "Attempts", description: "unset: as the server's settings say" },
          per_s: { type: "number", exclusiveMinimum: 0, maximum: DAY_S, default: 1, title: "In" },
        },
      },
    },
    breaker: {
      type: "object", required: ["name"], additionalProperties: false, title: "Circuit breaker", description: "of what it calls, shared by all workers; unset: the action's",
      properties: {
        name: { ...NAME, description: "such as openai" },
        failure_threshold: { type: "integer", minimum: 1, maximum: 10_000, default: 5, title: "Failures in a row that open it" },
        failure_rate: { type: "number", exclusiveMinimum: 0, maximum: 1, title: "Share of failed calls that opens it", description: "0 to 1; unset: none" },
        window_s: { type: "number", exclusiveMinimum: 0, maximum: 3600, default: 60, title: "Share counted over" },
        minimum_calls: { type: "integer", minimum: 1, maximum: 100_000, default: 10, title: "Calls below which a share says nothing" },
        recovery_s: { type: "number", exclusiveMinimum: 0, maximum: DAY_S, default: 60, title: "Stays open before it is probed" },
        probes: { type: "integer", minimum: 1, maximum: 100, default: 1, title: "Probes at once" },
        timeout_s: { type: "number", exclusiveMinimum: 0, maximum: DAY_S, title: "Time limit for a call", description: "the step's own holds as well" },
        on_open: { enum: ["wait", "fail"], default: "wait", title: "While it is open the step will" },
        counts: { type: "array", maxItems: 50, items: { type: "string" }, title: "Codes of errors that count", description: "unset: all that may be retried" },
      },
    },
    on_failure: {
      anyOf: [
        { enum: ["fail", "continue"] },
        {
          type: "object",
          required: ["fallback"],
          properties: { fallback: { anyOf: [
            { type: "object", required: ["step"], additionalProperties: false, properties: { step: { type: "string", pattern: KEY } } },
            { type: "object", required: ["value"], additionalProperties: false, properties: { value: {} } },
            { type: "object", required: ["action"], properties: { action: { type: "string", minLength: 1 }, params: { type: "object" }, key: { type: "string", pattern: KEY } } },
            { type: "object", required: ["cached"], properties: { cached: { const: true }, max_age_s: { type: "number", exclusiveMinimum: 0, maximum: MONTH_S }, of: { type: "string", pattern: KEY } } },
            { type: "array", minItems: 1, maxItems: 8, items: { type: "object" } },
          ] } },
        },
      ],
    },
  },
};

export const OPTIONS_SCHEMA: Schema = {
  type: "object",
  properties: {
    kind: { enum: ["workflow", "interactive", "background", "agent"], default: "workflow", title: "What it is for", description: "background and agent runs give way to the others" },
    priority: { type: "integer", minimum: 1, maximum: 20, default: 5, description: "higher goes first: low 1, medium 5, high 10, critical 20" },
    concurrency_key: { anyOf: [{ type: "string", maxLength: 300 }, { type: "null" }], title: "One run at a time for", description: "unset: the host, if there is one" },
    max_steps: { type: "integer", minimum: 1, maximum: 10_000, default: 10_000, title: "Steps at most", description: "those added while it runs included" },
    metadata: { type: "object", description: "kept with the run" },
  },
};
