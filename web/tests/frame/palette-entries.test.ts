import { expect, test } from "vitest";

import type { RunShown } from "../../src/api/types";
import { merged, runsThatFit, sections, type Command } from "../../src/frame/palette-entries";

const run = (workflow_id: string, name: string, start_time: string, more: Partial<RunShown> = {}) =>
  ({ workflow_id, name, start_time, host: null, template_id: null, ...more }) as RunShown;
const command = (label: string): Command => ({ label, keys: null, group: "Run", act: () => {} });

const RUNS = [run("nightly-2", "Nightly scan", "2026-01-02"), run("w-1", "Release", "2026-01-01", { host: "root@10.1.2.3:22" })];

test("with nothing typed all commands come first and then the newest runs", () => {
  const all = sections("", [command("Stop run"), command("Go to runs")], RUNS);
  expect(all.map((part) => part.title)).toEqual(["Commands", "Newest runs"]);
  expect(all[0]!.entries).toHaveLength(2);
});

test("runs are found by name, id and host, and go first when their name is being typed", () => {
  expect(runsThatFit("10.1.2", RUNS).map((one) => one.workflow_id)).toEqual(["w-1"]);
  expect(sections("rel", [command("Reload later")], RUNS)[0]!.title).toBe("Runs");
  expect(sections("stop", [command("Stop run")], RUNS).map((part) => part.title)).toEqual(["Commands"]);
});

test("what fits nothing leaves no section", () => {
  expect(sections("zzz", [command("Stop run")], RUNS)).toEqual([]);
});

test("an answer replaces what was known of a run and keeps the newest first", () => {
  const all = merged(RUNS, [run("w-1", "Release", "2026-01-01", { percent: 50 }), run("w-3", "New", "2026-01-03")]);
  expect(all.map((one) => one.workflow_id)).toEqual(["w-3", "nightly-2", "w-1"]);
  expect(all[2]!.percent).toBe(50);
  expect(merged(RUNS, [], 1)).toHaveLength(1);
});
