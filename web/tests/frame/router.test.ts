import { beforeAll, expect, test, vi } from "vitest";

import type * as Router from "../../src/router";

let router: typeof Router;

// The module reads where it is when it is loaded.
beforeAll(async () => {
  vi.stubGlobal("location", { href: "https://perdure.test/runs/abc/steps/a%2", origin: "https://perdure.test" });
  vi.stubGlobal("window", { addEventListener: () => {} });
  router = await import("../../src/router");
});

test("a broken address is a page that is unknown, also the one that is loaded", () => {
  expect(router.route.value).toEqual({ page: "unknown", path: "/runs/abc/steps/a%2" });
  expect(router.parse("/runs/%ff")).toEqual({ page: "unknown", path: "/runs/%ff" });
  expect(router.parse("/%")).toEqual({ page: "unknown", path: "/%" });
});

test("what the addresses are made of is read again, whatever it is", () => {
  for (const key of ["a", "50 %", "a/b", "über#1?"]) {
    expect(router.parse(router.paths.step("r 1", key, "trace"))).toEqual({ page: "run", runId: "r 1", view: "steps", step: key, tab: "trace" });
  }
  expect(router.parse(router.paths.run("r-1", "graph"))).toMatchObject({ page: "run", runId: "r-1", view: "graph", step: null });
  expect(router.parse("/")).toEqual({ page: "runs" });
  expect(router.parse("/nowhere")).toEqual({ page: "unknown", path: "/nowhere" });
});
