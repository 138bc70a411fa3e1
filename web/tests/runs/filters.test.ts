import { describe, expect, it } from "vitest";

import { askedOf, type Filters, filtersOf, isFiltered, isSearch, NO_FILTERS, queryOf, toggled, tokensOf } from "../../src/runs/filters";

const NOW = Date.parse("2026-11-21T12:34:56.789Z");
const there = (filters: Filters) =>
  filtersOf(new URLSearchParams(Object.entries(queryOf(filters)).filter((pair): pair is [string, string] => pair[1] !== null)));

describe("filters in the address", () => {
  it("come back as they went", () => {
    const all: Filters = { statuses: ["running", "failed"], text: "a b&c", template: "nightly", host: "root@h:22", by: "ada", since: "24h", until: "2026-11-21T08:00" };
    expect(there(all)).toEqual(all);
    expect(there(NO_FILTERS)).toEqual(NO_FILTERS);
  });

  it("leave out what makes no sense", () => {
    expect(filtersOf(new URLSearchParams("status=failed,nonsense,failed&since=soon&until=2026-99-99T00:00"))).toEqual({ ...NO_FILTERS, statuses: ["failed"] });
  });
});

describe("what the server is asked", () => {
  it("is nothing without filters", () => expect(askedOf(NO_FILTERS, NOW)).toEqual({}));

  it("counts a span from the whole minute, so that asking again asks the same", () => {
    const filters = { ...NO_FILTERS, since: "24h" };
    expect(askedOf(filters, NOW)).toEqual({ started_after: "2026-11-20T12:34:00.000Z" });
    expect(askedOf(filters, NOW + 3000)).toEqual(askedOf(filters, NOW));
  });

  it("names the parameters of the server", () => {
    const filters = { ...NO_FILTERS, statuses: ["paused" as const], text: " x ", template: "t", host: "h", by: "ada" };
    expect(askedOf(filters, NOW)).toEqual({ status: ["paused"], q: "x", template_id: "t", host: "h", created_by: "ada" });
  });

  it("is a search only where runs are looked at one by one", () => {
    expect(isSearch({ ...NO_FILTERS, statuses: ["failed"], since: "1h" })).toBe(false);
    expect(isFiltered({ ...NO_FILTERS, since: "1h" })).toBe(true);
    expect(isSearch({ ...NO_FILTERS, text: "  " })).toBe(false);
    expect(isSearch({ ...NO_FILTERS, by: "ada" })).toBe(true);
  });
});

describe("changes", () => {
  it("add and take away a status", () => {
    const one = toggled(NO_FILTERS, "failed");
    expect(one.statuses).toEqual(["failed"]);
    expect(toggled(one, "failed").statuses).toEqual([]);
    expect(toggled(one, "running").statuses).toEqual(["running", "failed"]);
  });

  it("take one token away and leave the rest", () => {
    const filters = { ...NO_FILTERS, host: "h", since: "7d" };
    const [host, since] = tokensOf(filters);
    expect([host?.words, since?.words]).toEqual(["host h", "started in the last 7 days"]);
    expect(host?.without).toEqual({ ...NO_FILTERS, since: "7d" });
    expect(tokensOf({ ...NO_FILTERS, since: "2026-11-20T10:00" })[0]?.words).toBe("started after 2026-11-20 10:00");
    expect(tokensOf({ ...NO_FILTERS, since: "3d" })[0]?.words).toBe("started in the last 3 days");
  });
});
