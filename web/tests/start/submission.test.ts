import { beforeAll, describe, expect, it, vi } from "vitest";

import type { JsonObject, Started } from "../../src/api/types";
import type { StepDraft } from "../../src/start/draft";
import type * as Submission from "../../src/start/submission";
import type * as Problems from "../../src/start/problems";
import { Problem, Unreachable } from "../../src/api/client";

let startOnce: typeof Submission.startOnce;
let newRunId: typeof Submission.newRunId;
let problems: typeof Problems;
beforeAll(async () => {
  ({ startOnce, newRunId } = await import("../../src/start/submission"));
  problems = await import("../../src/start/problems");
});

/** A server that answers in turn, and what it was sent. */
function server(...answers: (Started | Error)[]) {
  const sent: JsonObject[] = [];
  let kept: Submission.Sent | null = null;
  let ids = 0;
  const waited: number[] = [];
  return {
    sent, waited, kept: () => kept,
    means: {
      post: async (body: JsonObject) => {
        sent.push(body);
        const answer = answers.shift()!;
        if (answer instanceof Error) throw answer;
        return answer;
      },
      memory: { read: () => kept, write: (next: Submission.Sent | null) => { kept = next; } },
      wait: async (ms: number) => { waited.push(ms); },
      newId: () => `id-${(ids += 1)}`,
      trying: vi.fn(),
    },
  };
}
const started = (id: string): Started => ({ success: true, message: "", workflow_id: id, status: "running", created: true }) as Started;
const work = { steps: [] };

describe("a start", () => {
  it("is sent with an id of its own, which is forgotten with the answer", async () => {
    const { means, sent, kept } = server(started("id-1"));
    expect((await startOnce(work, means)).workflow_id).toBe("id-1");
    expect(sent).toEqual([{ steps: [], workflow_id: "id-1" }]);
    expect(kept()).toBeNull();
  });

  it("whose answer is lost is sent again under the same id, later and later", async () => {
    const { means, sent, waited } = server(new Unreachable(), new Problem(503, {}), started("id-1"));
    await startOnce(work, means);
    expect(sent.map((body) => body.workflow_id)).toEqual(["id-1", "id-1", "id-1"]);
    expect(waited).toEqual([1000, 2000]);
    expect(means.trying.mock.calls).toEqual([["id-1", 1], ["id-1", 2], ["id-1", 3]]);
  });

  it("that stays unanswered keeps its id for when the same is sent again, also after a reload", async () => {
    const { means, sent, kept } = server(...Array.from({ length: 4 }, () => new Unreachable()), started("id-1"));
    await expect(startOnce(work, means)).rejects.toBeInstanceOf(Unreachable);
    expect(kept()?.id).toBe("id-1");
    await startOnce(work, means);
    expect(sent.at(-1)!.workflow_id).toBe("id-1");
  });

  it("of something else gets another id", async () => {
    const { means, sent } = server(...Array.from({ length: 4 }, () => new Unreachable()), started("id-2"));
    await startOnce(work, means).catch(() => undefined);
    await startOnce({ steps: [], name: "other" }, means);
    expect(sent.at(-1)!.workflow_id).toBe("id-2");
  });

  it("that is refused is not sent again, and its id is not used again", async () => {
    const { means, sent, kept } = server(new Problem(409, { code: "run_active" }));
    await expect(startOnce(work, means)).rejects.toMatchObject({ status: 409 });
    expect(sent).toHaveLength(1);
    expect(kept()).toBeNull();
  });

  it.each([
    ["no answer", new Unreachable()], ["an answer that was cut off by something else", new Error("cut")], ["a fault of the server", new Problem(500, {})],
    ["a fault that is none of ours", new Problem(599, {})], ["a server that is away", new Problem(503, {})],
  ])("may have happened after %s: its id is kept, and used when the same is sent again", async (_what, error) => {
    const { means, sent, kept } = server(error, error, error, error);
    await expect(startOnce(work, means)).rejects.toBe(error);
    expect(kept()).toEqual({ id: "id-1", body: JSON.stringify(work) });
    const again = sent.length;
    means.post = async (body: JsonObject) => { sent.push(body); return started("id-1"); };
    await startOnce(work, means);
    expect(sent[again]!.workflow_id).toBe("id-1");
    expect(kept()).toBeNull();
  });

  it.each([400, 403, 404, 409, 413, 422])("that the server says no to, with %i, leaves no id behind", async (status) => {
    const { means, kept } = server(new Unreachable(), new Problem(status, {}));
    await expect(startOnce(work, means)).rejects.toMatchObject({ status });
    expect(kept()).toBeNull();
  });

  it.each([401, 408, 429])("keeps its id where %i was said before it was looked at, for what was lost before may have happened", async (status) => {
    const { means, sent, kept } = server(new Unreachable(), new Problem(status, {}), started("id-1"));
    await expect(startOnce(work, means)).rejects.toMatchObject({ status });
    expect(kept()?.id).toBe("id-1");
    await startOnce(work, means);
    expect(sent.map((body) => body.workflow_id)).toEqual(["id-1", "id-1", "id-1"]);
  });

  it("has an id of the server's form", () => expect(newRunId(1763700000000)).toMatch(/^workflow_1763700000000_[0-9a-f]{8}$/));
});

describe("what the server refuses", () => {
  const steps = [{ id: "s1", key: "scan" }, { id: "s2", key: "nodes" }] as StepDraft[];
  const ids = ["s1", "s2"];
  const faults = (document: object) => problems.faultsOfProblem(new Problem(400, document), steps, ids);

  it("is shown at its place in the form", () => {
    expect(["/ssh", "ssh", "/ssh_connection", "/steps/1/params/nodes/0/name", "/steps/9/key", "/steps", "/name", "/params/a~1b", ""].map((where) => problems.placeOf(where, ids))).toEqual([
      "/connection", "/connection", "/connection", "/steps/s2/params/nodes/0/name", "/steps", "/steps", "/name", "/params/a~1b", "",
    ]);
    expect(faults({ message: "step 'scan': there is no action 'fly'", where: "/steps/0/action" })).toEqual({ "/steps/s1/action": "Step 'scan': there is no action 'fly'." });
  });

  it("names all faults when it knows several", () => {
    expect(faults({ message: "x", where: "/a", errors: [{ where: "/steps/0/timeout_s", detail: "too small", mend: "" }, { where: "/name", detail: "too long", mend: "" }] })).toEqual({
      "/steps/s1/timeout_s": "Too small.", "/name": "Too long.",
    });
  });

  it("puts every missing parameter at its field", () => {
    const message = "parameters are missing: step 'scan' (noop) needs path; step 'nodes' (ssh.install_custom_nodes) needs nodes, venv";
    expect(faults({ message, where: "/steps/0/params" })).toEqual({ "/steps/s1/params/path": "Required.", "/steps/s2/params/nodes": "Required.", "/steps/s2/params/venv": "Required." });
  });

  it("tells the run that is in the way", () => {
    const busy = new Problem(409, { code: "run_active", message: "run nightly-1 is already active for root@gpu:22" });
    expect(problems.runInTheWay(busy)).toBe("nightly-1");
    expect(problems.runInTheWay(new Problem(409, { code: "run_exists", message: "run x is already active" }))).toBeNull();
  });

  it("may be sent again only where nothing says that it was refused", () => {
    expect([new Unreachable(), new Problem(503, {}), new Problem(500, {}), new Problem(409, {}), new Error("x")].map(problems.isUnanswered)).toEqual([true, true, false, false, false]);
  });
});
