import { describe, expect, it } from "vitest";

import type { TraceEntry } from "../../src/api/types";
import { askedBy, entryLook, kindsOf, reasonOf, restOf, wanted } from "../../src/run/trace/entries";

const entry = (more: Partial<TraceEntry>): TraceEntry => ({ seq: 1, time: "2026-01-01T00:00:00Z", kind: "claimed", index: 0, key: "a", attempt: 1, status: null, detail: null, omitted: 0, ...more });

describe("entries of a trace", () => {
  it("are told in words, unknown kinds by their name", () => {
    expect(entryLook(entry({})).words).toBe("began");
    expect(entryLook(entry({ attempt: 3 })).words).toBe("attempt 3 began");
    expect(entryLook(entry({ kind: "waiting", detail: { message: "no" } })).words).toBe("failed, waits to try again");
    expect(entryLook(entry({ kind: "tool_call" })).words).toBe("tool call");
  });

  it("tell who asked, why, and what else is known", () => {
    const stopped = entry({ kind: "stop_requested", detail: { by: "ann" } });
    expect([askedBy(stopped), reasonOf(stopped), restOf(stopped)]).toEqual(["ann", null, null]);
    const failed = entry({ kind: "failed", detail: { code: "timeout", message: "too slow", details: {} } });
    expect([askedBy(failed), reasonOf(failed), restOf(failed)]).toEqual([null, "too slow", { code: "timeout" }]);
  });

  it("are found by kind, step and text, all at once", () => {
    const all = [entry({ seq: 1 }), entry({ seq: 2, kind: "failed", detail: { message: "Disk full" } }), entry({ seq: 3, key: "b", kind: "failed", detail: { message: "disk full" } })];
    const seqs = (filter: Parameters<typeof wanted>[1]) => wanted(all, filter).map((one) => one.seq);
    expect(seqs({ kind: null, step: null, text: "" })).toEqual([1, 2, 3]);
    expect(seqs({ kind: "failed", step: null, text: "" })).toEqual([2, 3]);
    expect(seqs({ kind: "failed", step: "b", text: "DISK" })).toEqual([3]);
    expect(seqs({ kind: null, step: null, text: "nothing" })).toEqual([]);
    expect(kindsOf(all)).toEqual([["claimed", 1], ["failed", 2]]);
  });
});
