import { useLayoutEffect, useRef } from "preact/hooks";

import type { State, StepState } from "../api/types";
import type { RunFeed } from "../live/feed";
import { Boundary } from "../parts/Boundary";
import { Later } from "../parts/Later";
import { paths, type StepTab } from "../router";
import type { StepControl } from "./controls/possible";
import { StepControls } from "./controls/StepControls";
import type { ListHandle } from "./steps/StepList";

const panel = () => import("./panel/StepPanel");

interface Props {
  feed: RunFeed;
  state: State;
  stepKey: string;
  tab: StepTab;
  list: { current: ListHandle | null };
  ask: (control: StepControl, key: string) => void;
}

/** The step that is open: beside the list where there is room, else in its place with a way back. */
export function OpenedStep({ feed, state, stepKey, tab, list, ask }: Props) {
  const step = state.steps.find((one) => one.key === stepKey) ?? list.current?.find(stepKey);
  const section = useRef<HTMLElement>(null);
  useRoom(section);
  return (
    <section class="opened" ref={section} aria-label="Opened step">
      <div class="opened-bar">
        <a class="button plain opened-back" href={paths.run(feed.runId)}><span aria-hidden="true">←</span> All steps</a>
        {step && <span class="opened-place muted small">{step.index + 1} of {state.total_steps}</span>}
        <Beside feed={feed} step={step} by={-1} tab={tab} list={list} />
        <Beside feed={feed} step={step} by={1} tab={tab} list={list} />
        <span class="opened-space" />
        {step && <StepControls step={step} state={state} ask={(control) => ask(control, stepKey)} />}
      </div>
      <Boundary what="The opened step" key={stepKey}>
        <Later load={panel} props={{ feed, step: stepKey, tab }} />
      </Boundary>
    </section>
  );
}

/** To the step before or after, with the same tab. */
function Beside({ feed, step, by, tab, list }: { feed: RunFeed; step: StepState | undefined; by: 1 | -1; tab: StepTab; list: Props["list"] }) {
  const next = step ? list.current?.beside(step.key, by) : null;
  const [label, sign, key] = by < 0 ? ["Step before", "‹", "k"] : ["Next step", "›", "j"];
  if (!next || next.key === step?.key) return <span class="button plain icon opened-beside" aria-hidden="true">{sign}</span>;
  return <a class="button plain icon" href={paths.step(feed.runId, next.key, tab)} aria-label={label} title={`${label} (${key})`}>{sign}</a>;
}

/** Gives the step, where it stands beside the list, what the window has left below its top: the end of a log is where it is followed. */
function useRoom(section: { current: HTMLElement | null }): void {
  useLayoutEffect(() => {
    let frame = 0;
    const fit = () => {
      frame = 0;
      const element = section.current;
      if (!element) return;
      const top = Math.max(element.getBoundingClientRect().top, 0);
      element.style.setProperty("--opened-height", `${Math.round(innerHeight - top - 12)}px`);
    };
    const ask = () => { frame ||= requestAnimationFrame(fit); };
    fit();
    addEventListener("scroll", ask, { passive: true });
    addEventListener("resize", ask, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", ask);
      removeEventListener("resize", ask);
    };
  }, []);
}
