import { describe, expect, it, vi } from "vitest";

import { Problem, Unreachable } from "../../src/api/client";
import type { JsonObject } from "../../src/api/types";
import { placeIn, readPasted } from "../../src/start/pasted";

const steps = [{ key: "a", action: "noop" }];
const answering = (answer: JsonObject | Error) => vi.fn(async (_text: string) => {
  if (answer instanceof Error) throw answer;
  return answer;
});

describe("a workflow that is pasted", () => {
  it("as JSON is read here, also while the server is away", async () => {
    const ask = answering(new Unreachable());
    expect(await readPasted(JSON.stringify({ name: "n", steps }), ask)).toEqual({ workflow: { name: "n", steps } });
    expect(await readPasted(JSON.stringify(steps), ask)).toEqual({ workflow: { steps } });
    expect(ask).not.toHaveBeenCalled();
  });

  it("as YAML is read by the server", async () => {
    const text = "steps:\n- {key: a, action: noop}\n";
    const ask = answering({ steps });
    expect(await readPasted(text, ask)).toEqual({ workflow: { steps } });
    expect(ask).toHaveBeenCalledExactlyOnceWith(text);
  });

  it("that cannot be read is refused with its line and column, and where that is in the text", async () => {
    const text = "name: a\nsteps:\n  - key: b\n   action: c\n";
    const problem = new Problem(400, { code: "malformed_yaml", message: "did not find expected '-' indicator", line: 4, column: 4 });
    expect(await readPasted(text, answering(problem))).toEqual({ fault: "Line 4, column 4: Did not find expected '-' indicator.", at: text.indexOf("action") });
  });

  it("that is something else is no workflow", async () => {
    const fault = { fault: "A workflow is an object with steps, or a list of steps.", at: null };
    expect(await readPasted("3", answering({}))).toEqual(fault);
    expect(await readPasted("[1]", answering({}))).toEqual(fault);
    expect(await readPasted("name: n", answering({ name: "n" }))).toEqual(fault);
  });

  it("is not lost in silence when nobody reads it", async () => {
    expect(await readPasted("a: 1", answering(new Unreachable()))).toMatchObject({ fault: expect.stringContaining("cannot be reached") });
    expect(await readPasted("a: 1", answering(new Problem(403, { message: "it needs the role operator" })))).toEqual({ fault: "It needs the role operator.", at: null });
    const ask = answering({});
    expect(await readPasted(`a: ${"x".repeat(1024 ** 2)}`, ask)).toMatchObject({ fault: expect.stringContaining("1,048,576") });
    expect(ask).not.toHaveBeenCalled();
    const broken = new TypeError("a fault of ours");
    await expect(readPasted("a: 1", answering(broken))).rejects.toBe(broken);
  });

  it("has its places counted in whole characters", () => {
    expect(placeIn("a\n😀😀b", 2, 3)).toBe(6);
    expect([placeIn("a\nb", 1, 9), placeIn("a\nb", 2, 9), placeIn("a\nb", 7, 1)]).toEqual([1, 3, 3]);
  });
});
