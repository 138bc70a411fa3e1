import { useComputed, useSignalEffect } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { setTitle } from "../frame/title";
import type { RunFeed } from "../live/feed";
import { watchRun } from "../live/watch";
import { Boundary } from "../parts/Boundary";
import { Failed } from "../parts/Failed";
import { Later } from "../parts/Later";
import { go, paths, route, type RunView } from "../router";
import { ControlDialog } from "./controls/ControlDialog";
import { copyWorkflow } from "./controls/copyWorkflow";
import { RunControls } from "./controls/RunControls";
import { useControls } from "./controls/useControls";
import { pageTitle } from "./head/sentences";
import { RunHead } from "./head/RunHead";
import { useArrival } from "./head/useArrival";
import { useDurations } from "./head/useDurations";
import { useEndings } from "./head/useEndings";
import { Views } from "./head/Views";
import { OpenedStep } from "./OpenedStep";
import { useOutline, usePart } from "./parts";
import { runPercent } from "./progress/percent";
import { useRunKeys } from "./runKeys";
import { titleOf } from "./steps/secondLine";
import { type ListHandle, StepList } from "./steps/StepList";
import type { RowActions } from "./steps/StepRow";
import { useHolders } from "./steps/useHolders";
import { ToStepInHand } from "./steps/ToStepInHand";
import "./run.css";

type Load = () => Promise<{ default: ComponentType<{ feed: RunFeed }> }>;
const VIEWS: Record<Exclude<RunView, "steps">, Load> = {
  timeline: () => import("./timeline/Timeline"),
  graph: () => import("./graph/Graph"),
  trace: () => import("./trace/TraceView"),
  data: () => import("./data/DataView"),
};

/** One run: where it stands, its steps, what can be done; followed for as long as it is shown. */
export default function RunPage({ runId }: { runId: string }) {
  const feed = useMemo(() => watchRun(runId), [runId]);
  useEffect(() => () => feed.close(), [feed]);
  const known = useComputed(() => feed.state.value !== null);
  switch (feed.shown.value) {
    case "unknown": return <Unknown runId={runId} />;
    case "failed": return <Failed error={feed.problem.value} retry={() => void feed.refresh()} />;
    default: return known.value ? <Shown feed={feed} /> : <Loading />;
  }
}

/** Drawn again when anything but progress changes; what shows progress follows the feed by itself. */
function Shown({ feed }: { feed: RunFeed }) {
  const state = useOutline(feed).value;
  const at = route.value;
  const [view, open, tab] = at.page === "run" ? [at.view, at.step, at.tab] : ["steps" as const, null, "log" as const];
  const controls = useControls(feed);
  const durations = useDurations(feed.runId, state.active);
  const arrival = useArrival(feed);
  const [marked, setMarked] = useState<string | null>(null);
  const list = useRef<ListHandle>(null);
  const head = useRef<HTMLDivElement>(null);
  useEndings(feed, head);
  useHolders(feed);
  useRunKeys({ feed, controls, list, marked, setMarked });
  usePlace(open, list);

  const title = usePart(feed, (newest) => pageTitle(newest, runPercent(newest)));
  useSignalEffect(() => setTitle(title.value, feed.state.peek()!.name));

  const actions = useMemo<RowActions>(() => ({
    answer: (key) => controls.askStep("answer", key),
    retryFrom: (key) => controls.askStep("retry_from", key),
    skip: (key) => controls.askStep("skip", key),
  }), [controls.askStep]);
  const inHand = state.steps.find((step) => step.index === state.current_step);
  const asked = controls.asked;
  const connection = feed.connection.value;

  return (
    <div class={`run-page${open === null ? "" : " run-page-open"}${connection.kind === "offline" ? " run-page-away" : ""}`}>
      <div class="run-page-head" ref={head}>
        <RunHead
          feed={feed} state={state} durations={durations} arrival={arrival} connection={connection}
          controls={<RunControls feed={feed} state={state} ask={controls.askRun} copy={(form) => void copyWorkflow(feed.runId, form)} />}
        />
        <Views state={state} view={view} />
      </div>
      {view === "steps" ? (
        <div class="run-split">
          <div class="run-list">
            <Boundary what="The list of steps">
              <StepList feed={feed} state={state} open={open} marked={marked} tab={tab} actions={actions} handle={list} />
            </Boundary>
            {inHand && state.active && <ToStepInHand position={inHand.index} title={titleOf(inHand)} go={() => list.current?.reveal(inHand.key, "center")} />}
          </div>
          {open !== null && <OpenedStep feed={feed} state={state} stepKey={open} tab={tab} list={list} ask={controls.askStep} />}
        </div>
      ) : (
        <Boundary what="This view" key={view}><Later load={VIEWS[view]} props={{ feed }} key={view} /></Boundary>
      )}
      {asked && (
        <ControlDialog
          key={`${asked.control} ${asked.step}`} feed={feed} state={state} asked={asked} close={controls.close}
          step={asked.step === null ? undefined : (state.steps.find((step) => step.key === asked.step) ?? list.current?.find(asked.step))}
        />
      )}
    </div>
  );
}

/** On a phone an opened step takes the page; going back finds the list where it was. Where both are seen the step's row is in view. */
function usePlace(open: string | null, list: { current: ListHandle | null }): void {
  const left = useRef<number | null>(null);
  const before = useRef<string | null>(null);
  useEffect(() => {
    const narrow = matchMedia("(max-width: 1023px)").matches;
    if (open !== null && before.current === null) {
      left.current = scrollY;
      if (narrow) scrollTo(0, 0);
      else if (!isInSight(document.querySelector(".step-row-open"))) list.current?.reveal(open, "center");
    } else if (open === null && before.current !== null && narrow && left.current !== null) scrollTo(0, left.current);
    before.current = open;
  }, [open]);
}

function isInSight(row: Element | null): boolean {
  const box = row?.getBoundingClientRect();
  return !!box && box.top >= 0 && box.top < innerHeight - 60;
}

function Unknown({ runId }: { runId: string }) {
  return (
    <div class="empty">
      <h1>There is no run with this id</h1>
      <p class="muted"><code>{runId}</code> is not known here. It may have been removed with old history, or the address may be incomplete.</p>
      <p class="row-gap">
        <a class="button primary" href={`${paths.runs()}?q=${encodeURIComponent(runId)}`}>Search for it</a>
        <button type="button" class="button" onClick={() => go(paths.runs())}>All runs</button>
      </p>
    </div>
  );
}

/** The first look only: later the last known state stays. */
function Loading() {
  return (
    <div class="run-loading" aria-busy="true">
      <span class="sr-only">Reading the run</span>
      <span class="skeleton run-loading-name" /><span class="skeleton run-loading-facts" /><span class="skeleton run-loading-bar" />
      {[0, 1, 2, 3, 4].map((row) => <span key={row} class="skeleton run-loading-row" />)}
    </div>
  );
}
