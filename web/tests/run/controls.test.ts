import { describe, expect, test } from "vitest";

import { likely, others, runReason, runsAgain, stepReason } from "../../src/run/controls/possible";
import { forkWords, labelOf, retryWords, skipWords, stopWords } from "../../src/run/controls/words";
import { chain, run, step } from "./sample";

const steps = chain({ key: "a", status: "completed" }, { key: "b", status: "failed" }, { key: "c", status: "cancelled" });
const running = run(chain({ key: "a", status: "completed" }, { key: "b", status: "in_progress" }, { key: "c" }));
const failed = run(steps, { status: "failed", active: false });
const completed = run(chain({ key: "a", status: "completed" }), { status: "completed", active: false });

describe("which control comes first", () => {
  test.each([
    [running, "stop"],
    [run([], { status: "paused" }), "resume"],
    [failed, "retry"],
    [run([], { status: "cancelled", active: false }), "retry"],
    [completed, "restart"],
  ])("run %#", (state, control) => expect(likely(state)[0]).toBe(control));
  test("a button is not in the menu as well, and nothing is lost", () => {
    for (const state of [running, failed, completed]) {
      expect(others(state).filter((one) => likely(state).includes(one))).toEqual([]);
      expect(new Set([...likely(state), ...others(state)]).size).toBe(6);
    }
  });
});

describe("why a control is off", () => {
  test("the role goes before the state", () => expect(runReason("stop", running, "Your role may only look.")).toBe("Your role may only look."));
  test("what means nothing just now says why", () => {
    expect(runReason("stop", running, null)).toBeNull();
    expect(runReason("stop", { ...running, stopping: true }, null)).toBe("It is already stopping.");
    expect(runReason("retry", running, null)).toBe("It still goes on.");
    expect(runReason("retry", completed, null)).toBe("Nothing failed.");
    expect(runReason("resume", running, null)).toBe("It is not paused.");
    expect(runReason("archive", running, null)).not.toBeNull();
  });
  test("a step is skipped before it begins, or after it failed", () => {
    expect(stepReason("skip", running.steps[2]!, running, null)).toBeNull();
    expect(stepReason("skip", running.steps[1]!, running, null)).toContain("runs already");
    expect(stepReason("skip", failed.steps[1]!, failed, null)).toBeNull();
    expect(stepReason("skip", failed.steps[0]!, failed, null)).toBe("It is completed.");
  });
  test("only a step that waits for it is answered", () => {
    expect(stepReason("answer", step("a", { waiting_for: "signal" }), running, null)).toBeNull();
    expect(stepReason("answer", step("a", { waiting_for: "retry" }), running, null)).not.toBeNull();
  });
  test("what another step made cannot be forked from", () => expect(stepReason("fork", step("a", { made_by: 0 }), failed, null)).toContain("made it"));
});

describe("what runs again", () => {
  test("a retry from a step: it, what depends on it, and all that was not done", () => {
    const again = runsAgain(failed, "a");
    expect(again.steps.map((one) => one.key)).toEqual(["a", "b", "c"]);
    expect(runsAgain(failed, null)).toMatchObject({ kept: 1, whole: true });
    expect(retryWords(failed, null)).toEqual(["b, c run again in this same run.", "1 result of a completed step is kept."]);
  });
  test("a fork: only what stands behind the step", () => {
    const branched = run([
      step("a", { status: "completed" }), step("b", { status: "completed", needs: ["a"] }), step("c", { status: "failed", needs: ["a"] }),
    ], { status: "failed", active: false });
    expect(runsAgain(branched, "b", "fork").steps.map((one) => one.key)).toEqual(["b"]);
    expect(forkWords(branched, "b")[2]).toContain("1 other step");
  });
  test("of a run that is not known whole it is said that there is more", () => {
    expect(retryWords({ ...failed, steps_truncated: true }, "b")[0]).toContain("what depends on it");
  });
});

test("stopping says what is stopped and what is kept", () => {
  expect(stopWords(running)).toEqual(["b is asked to stop.", "1 step that has not begun is cancelled.", "1 result of a completed step is kept. A retry goes on from there."]);
  expect(stopWords(run(chain({ key: "a" })))[0]).toContain("has not begun");
});

test("skipping says what goes on without it", () => {
  expect(skipWords(running, running.steps[1]!)).toEqual(["b is not run.", "1 step that needs it goes on without its result."]);
  expect(skipWords(failed, failed.steps[2]!)[1]).toBe("Nothing else needs it.");
});

test("a run that was stopped is not said to have a failed step", () => {
  expect(labelOf("retry", run([], { status: "cancelled", active: false }))).toBe("Retry from where it stopped");
});
