// What a step and a workflow may say about how they run; the same bounds as schemas/workflow.py.
import type { Schema } from "./form/schema";

const WEEK_S = 604_800;
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
        jitter: { type: "number", minimum: 0, maximum: 1, default: 0.2, title: "Random spread", description: "as a part of the delay, 0 to 1" },
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
          ] } },
        },
      ],
    },
  },
};

export const OPTIONS_SCHEMA: Schema = {
  type: "object",
  properties: {
    priority: { type: "integer", minimum: 1, maximum: 20, default: 5, description: "1 to 20, higher goes first" },
    concurrency_key: { anyOf: [{ type: "string", maxLength: 300 }, { type: "null" }], title: "One run at a time for", description: "unset: the host, if there is one" },
    max_steps: { type: "integer", minimum: 1, maximum: 10_000, default: 10_000, title: "Steps at most", description: "those added while it runs included" },
    metadata: { type: "object", description: "kept with the run" },
  },
};
