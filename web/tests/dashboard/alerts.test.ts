import { beforeAll, describe, expect, it, test, vi } from "vitest";

import type { Alert } from "../../src/alerts/answer";
import { joined } from "../../src/alerts/pages";
import type * as Watch from "../../src/alerts/watch";
import type * as Words from "../../src/alerts/words";

let { newCritical }: Pick<typeof Watch, "newCritical"> = {} as typeof Watch;
let { placeOf, ruleName, valueWords }: Pick<typeof Words, "placeOf" | "ruleName" | "valueWords"> = {} as typeof Words;

// The addresses come from the router, which reads where it is when it is loaded.
beforeAll(async () => {
  vi.stubGlobal("location", { href: "https://perdure.test/alerts", origin: "https://perdure.test" });
  vi.stubGlobal("window", { addEventListener: () => {} });
  vi.stubGlobal("document", { addEventListener: () => {}, hidden: false });
  ({ newCritical } = await import("../../src/alerts/watch"));
  ({ placeOf, ruleName, valueWords } = await import("../../src/alerts/words"));
});

const alert = (id: number, given: Partial<Alert> = {}): Alert => ({
  id, rule: "breaker_open", subject: "openai", severity: "critical", status: "open", value: 1, peak: 1, threshold: 1, unit: "yes", message: "the breaker openai opened",
  details: {}, since: "2026-01-01T12:00:00Z", openedAt: "2026-01-01T12:00:00Z", seenAt: "2026-01-01T12:00:00Z", acknowledgedAt: null, acknowledgedBy: null,
  acknowledgeNote: null, resolvedAt: null, resolvedBy: null, resolveNote: null, ...given,
});

describe("a notice", () => {
  it("is of critical alerts that came while the page was open, and of each once", () => {
    const before = new Set([1]);
    const now = [alert(1), alert(2), alert(3, { severity: "warning" }), alert(4, { status: "resolved" }), alert(5, { acknowledgedAt: "2026-01-01T12:00:00Z" })];
    expect(newCritical(before, now).map((one) => one.id)).toEqual([2]);
    expect(newCritical(new Set([1, 2]), now)).toEqual([]);
  });
  it("is not made of what was so before the page was opened", () => expect(newCritical(null, [alert(1)])).toEqual([]));
});

describe("an alert", () => {
  it("leads to what it is about", () => {
    expect(placeOf(alert(1))?.href).toBe("/dashboard");
    expect(placeOf(alert(1, { rule: "queue_deaf", subject: "http" }))?.href).toBe("/workers");
    expect(placeOf(alert(1, { rule: "person_awaited", details: { workflowId: "run-1", step: "ask" } }))?.href).toBe("/runs/run-1/steps/ask");
    expect(placeOf(alert(1, { rule: "failures_in_a_row", subject: "template:nightly scan" }))?.href).toBe("/runs?status=failed&template=nightly+scan");
    expect(placeOf(alert(1, { rule: "of_a_later_release" }))).toBeNull();
  });
  it("says its value in the unit of its rule", () => {
    expect(valueWords(alert(1))).toBeNull();
    expect(valueWords(alert(1, { unit: "share", value: 0.57, peak: 0.6, threshold: 0.5 }))).toBe("57 %, 60 % at its most (alerts from 50 % on)");
    expect(valueWords(alert(1, { unit: "ms", value: 90_000, peak: 90_000, threshold: 60_000 }))).toBe("1 m 30 s (alerts from 1 m 00 s on)");
    expect(valueWords(alert(1, { unit: "count", value: 0, peak: 7, threshold: 5, status: "resolved" }))).toBe("7 at its most (alerts from 5 on)");
  });
  it("has a name also where its rule is of a later release", () => expect(ruleName("moon_is_full")).toBe("Moon is full"));
});

test("the polled page and older ones are one list, in which the newer answer counts", () => {
  const list = joined([alert(9), alert(7, { status: "resolved" })], [alert(7), alert(3)]);
  expect(list.map((one) => [one.id, one.status])).toEqual([[9, "open"], [3, "open"], [7, "resolved"]]);
});
