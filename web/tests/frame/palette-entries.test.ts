import { expect, test } from "vitest";

import type { RunShown } from "../../src/api/types";
import { merged, placeOf, runsThatFit, sections, type Command, type Section } from "../../src/frame/palette-entries";

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

const idsOf = (parts: readonly Section[]) => parts.flatMap((part) => part.entries.map((entry) => entry.id));

test("runs that arrive late come below the command that was shown first", () => {
  const commands = [command("Reload"), command("Replay")];
  const shown = idsOf(sections("re", commands, []));
  const later = sections("re", commands, RUNS, shown.slice(0, 1));
  expect(later.map((part) => part.title)).toEqual(["Commands", "Runs"]);
  expect(idsOf(later)).toEqual([...shown, "r w-1"]);
});

test("what was chosen keeps its place and all above it theirs, however many runs arrive", () => {
  const commands = [command("Release all")];
  const before = sections("rel", commands, RUNS);
  expect(idsOf(before)).toEqual(["r w-1", "c Run Release all"]);
  const many = Array.from({ length: 12 }, (_, n) => run(`late-${n}`, "Release", `2026-02-${n + 10}`));
  const later = sections("rel", commands, merged(RUNS, many), idsOf(before));
  expect(later.map((part) => part.title)).toEqual(["Runs", "Commands", "More runs"]);
  expect(idsOf(later).slice(0, 3)).toEqual(["r w-1", "c Run Release all", "r late-11"]);
  expect(new Set(idsOf(later)).size).toBe(10);
  // Also where one of those that came last is chosen then.
  const again = sections("rel", commands, merged(merged(RUNS, many), [run("latest", "Release", "2026-03-01")]), idsOf(later).slice(0, 4));
  expect(idsOf(again).slice(0, 5)).toEqual([...idsOf(later).slice(0, 4), "r latest"]);
  expect(again.map((part) => part.title)).toEqual(["Runs", "Commands", "More runs"]);
});

test("the choice follows its entry, and where that is gone it is what stands there now", () => {
  const entries = sections("", [command("Stop run"), command("Go to runs")], RUNS).flatMap((part) => part.entries);
  expect(placeOf(null, entries)).toBe(0);
  expect(placeOf({ id: "r w-1", at: 0 }, entries)).toBe(3);
  expect(placeOf({ id: "r gone", at: 9 }, entries)).toBe(3);
  expect(placeOf({ id: "r gone", at: 0 }, [])).toBe(-1);
});
