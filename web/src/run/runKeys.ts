import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { bindKeys } from "../keys";
import type { RunFeed } from "../live/feed";
import { go, paths, route } from "../router";
import type { StepControl } from "./controls/possible";
import type { Controls } from "./controls/useControls";
import type { ListHandle } from "./steps/StepList";

interface Given {
  feed: RunFeed;
  controls: Controls;
  list: RefObject<ListHandle | null>;
  marked: string | null;
  setMarked: (key: string | null) => void;
}

/** The keys of a run's page. Those of a step mean the one that is open, else the marked one, else the step in hand. */
export function useRunKeys(given: Given): void {
  const latest = useRef(given);
  latest.current = given;
  useEffect(() => {
    const at = () => { const found = route.peek(); return found.page === "run" ? found : null; };
    const inHand = () => { const state = latest.current.feed.state.peek(); return state?.steps.find((step) => step.index === state.current_step)?.key ?? null; };
    const meant = () => at()?.step ?? latest.current.marked ?? inHand();
    const runId = given.feed.runId;

    const move = (by: number) => {
      const { list, marked, setMarked } = latest.current;
      const open = at()?.step ?? null;
      const next = list.current?.beside(open ?? marked, by);
      if (!next) return;
      setMarked(next.key);
      if (open !== null) go(paths.step(runId, next.key, at()!.tab), { replace: true });
      list.current?.reveal(next.key, "nearest");
    };
    const openStep = () => { const key = meant(); if (key) go(paths.step(runId, key, at()?.tab)); };
    const ofStep = (control: StepControl) => { const key = meant(); if (key) latest.current.controls.askStep(control, key); };
    const { controls } = latest.current;
    return bindKeys([
      { keys: "j", label: "Next step", group: "Run", act: () => move(1) },
      { keys: "k", label: "Step before", group: "Run", act: () => move(-1) },
      { keys: "Enter", label: "Open the step", group: "Run", act: openStep },
      { keys: "Escape", label: "Close the step, back to the runs", group: "Run", act: () => go(at()?.step || at()?.view !== "steps" ? paths.run(runId) : paths.runs()) },
      { keys: "l", label: "Log of the step", group: "Run", act: () => { const key = meant(); if (key) go(paths.step(runId, key)); } },
      { keys: "c", label: "Go to the step in hand", group: "Run", act: () => { const key = inHand(); if (key) latest.current.list.current?.reveal(key, "center"); } },
      { keys: "s", label: "Stop the run", group: "Run", act: () => controls.askRun("stop") },
      { keys: "p", label: "Pause or resume", group: "Run", act: () => controls.askRun(given.feed.state.peek()?.status === "paused" ? "resume" : "pause") },
      { keys: "r", label: "Retry from the failed step", group: "Run", act: () => controls.askRun("retry") },
      { keys: "R", label: "Restart", group: "Run", act: () => controls.askRun("restart") },
      { keys: "a", label: "Answer the step that waits", group: "Run", act: () => ofStep("answer") },
      { keys: "x", label: "Skip the step", group: "Run", act: () => ofStep("skip") },
      { keys: "f", label: "Fork from the step", group: "Run", act: () => ofStep("fork") },
      { keys: "o", label: "Run the step alone", group: "Run", act: () => ofStep("alone") },
    ]);
  }, [given.feed]);
}
