import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { bindKeys } from "../../keys";
import type { RunFeed } from "../../live/feed";
import { now } from "../../now";
import { Failed } from "../../parts/Failed";
import { VirtualList, type VirtualListControl } from "../../parts/VirtualList";
import { shownStepStatus, STATUSES } from "../../theme/statuses";
import { runPhases } from "../trace/entries";
import { useTrace } from "../trace/reader";
import { watchGestures } from "./gestures";
import { rowWords, timelineRows, wholeTime } from "./rows";
import { fit, panned, stretch, ticks, zoomed, type View } from "./scale";
import { useAllSteps } from "./steps";
import { TimelineRowView } from "./TimelineRowView";
import { TimelineTable } from "./TimelineTable";
import { Tip, type Pointed } from "./Tip";
import "./timeline.css";

const ZOOM = 1.5;
/** Rows are to be hit by fingers where there are any. */
const ROW = matchMedia("(pointer: coarse)").matches ? 44 : 32;

/** When each step of a run was attempted and what it waited for in between. */
export default function Timeline({ feed }: { feed: RunFeed }) {
  const { steps, complete, problem } = useAllSteps(feed);
  const trace = useTrace(feed);
  const state = feed.state.value;
  const phases = useMemo(() => runPhases(trace.entries), [trace.entries]);
  const started = state ? Date.parse(state.start_time) : null;
  const rows = useMemo(() => (started === null ? [] : timelineRows(steps, phases, started)), [steps, phases, started]);

  const [view, setView] = useState<View | null>(null);
  const [asTable, setAsTable] = useState(false);
  const [pointed, setPointed] = useState<Pointed | null>(null);
  const [at, setAt] = useState({ row: 0, line: 0 });
  const [width, setWidth] = useState(600);
  const frame = useRef<HTMLDivElement>(null);
  const track = useRef<HTMLDivElement>(null);
  const list = useRef<VirtualListControl | null>(null);

  const goesOn = state?.active ?? false;
  const moment = now.value;
  const whole = wholeTime(rows, started ?? moment, moment, goesOn);
  const all = fit(whole.from, whole.to, goesOn);
  const shown = view ?? all;
  const latest = useRef({ shown, all, width });
  latest.current = { shown, all, width };

  const zoomBy = (factor: number, around?: number) => setView((before) => {
    const { shown: seen, all: most } = latest.current;
    const from = before ?? seen;
    const next = zoomed(from, factor, around ?? (from.from + from.to) / 2, most);
    return next.from <= most.from && next.to >= most.to ? null : next;
  });

  const ready = state !== null && rows.length > 0;
  useEffect(() => {
    const element = track.current;
    if (!element || !frame.current) return;
    const resized = new ResizeObserver(() => setWidth(element.clientWidth));
    resized.observe(element);
    const unwatch = watchGestures(frame.current, "x", {
      pan: (dx) => setView((before) => {
        const { shown: seen, all: most, width: wide } = latest.current;
        const from = before ?? seen;
        return before === null ? null : panned(from, (-dx / wide) * (from.to - from.from), most);
      }),
      zoom: (factor, clientX) => {
        const box = element.getBoundingClientRect();
        const { shown: seen } = latest.current;
        zoomBy(factor, seen.from + ((clientX - box.left) / box.width) * (seen.to - seen.from));
      },
    });
    return () => { resized.disconnect(); unwatch(); };
  }, [ready, asTable]);

  // Of a long run the step in hand is what one came for.
  const found = useRef(false);
  const inHand = state?.active ? state.current_step ?? null : null;
  useEffect(() => {
    const index = inHand === null || found.current ? -1 : rows.findIndex((row) => row.step.index === inHand);
    if (index < 0) return;
    found.current = true;
    if (index > 12) list.current?.show(index, "center");
    setAt({ row: index, line: 0 });
  }, [rows, inHand]);

  useEffect(() => bindKeys([
    { keys: "+", label: "Zoom in", group: "Run", act: () => zoomBy(ZOOM) },
    { keys: "-", label: "Zoom out", group: "Run", act: () => zoomBy(1 / ZOOM) },
    { keys: "0", label: "Show all of the timeline", group: "Run", act: () => setView(null) },
  ]), []);

  if (state === null || (rows.length === 0 && !complete)) {
    if (problem !== null) return <Failed error={problem} />;
    return <div class="timeline-skeleton" role="status" aria-label="Loading the timeline">{[80, 55, 66, 40, 72].map((wide) => <span key={wide} class="skeleton" style={{ width: `${wide}%` }} />)}</div>;
  }
  if (rows.length === 0) return <p class="empty">This run has no steps.</p>;

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves: Record<string, () => void> = {
      ArrowDown: () => move(at.row + 1),
      ArrowUp: () => move(at.row - 1),
      Home: () => move(0),
      End: () => move(rows.length - 1),
      ArrowRight: () => pointLine(at.line + 1),
      ArrowLeft: () => pointLine(at.line - 1),
      Escape: () => setPointed(null),
    };
    const act = moves[event.key];
    if (!act || (event.key === "Escape" && pointed === null)) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };
  const move = (to: number) => {
    const row = Math.max(0, Math.min(rows.length - 1, to));
    setAt({ row, line: 0 });
    list.current?.focus(row);
  };
  const point = (row: number, line: number) => {
    const bar = frame.current?.querySelector(`[data-bar="${row} ${line}"]`);
    const value = rows[row]?.lines[line];
    if (!bar || !value) return setPointed(null);
    const box = bar.getBoundingClientRect();
    setPointed({ step: rows[row]!.step.label, line: value, x: Math.max(box.left, 0), y: box.bottom });
  };
  const pointLine = (to: number) => {
    const line = Math.max(0, Math.min((rows[at.row]?.lines.length ?? 1) - 1, to));
    setAt({ ...at, line });
    point(at.row, line);
  };
  const onPointerOver = (event: PointerEvent) => {
    const bar = (event.target as Element).closest?.<HTMLElement>("[data-bar]");
    if (!bar) return setPointed(null);
    const [row, line] = bar.dataset["bar"]!.split(" ").map(Number);
    const value = rows[row!]?.lines[line!];
    if (value) setPointed({ step: rows[row!]!.step.label, line: value, x: event.clientX, y: bar.getBoundingClientRect().bottom });
  };
  const nowAt = goesOn ? stretch(shown, width, moment, moment, 1) : null;
  const marks = ticks(shown, width, started!);
  const px = (time: number) => ((time - shown.from) / (shown.to - shown.from)) * width;

  return (
    <section class="timeline" aria-label="Timeline">
      <div class="timeline-bar">
        <span class="muted small" role="status">{complete ? "" : `${rows.length.toLocaleString()} of `}{state.total_steps.toLocaleString()} {state.total_steps === 1 ? "step" : "steps"}{complete ? "" : ", reading…"}</span>
        <span class="timeline-key small" aria-hidden="true"><i class="timeline-wait tone-amber" /> waits{phases.some((phase) => phase.kind === "paused") && <><i class="timeline-paused" /> run paused</>}</span>
        <span class="timeline-tools">
          {!asTable && <>
            <button type="button" class="button icon plain" aria-label="Zoom out" title="Zoom out (-)" disabled={view === null} onClick={() => zoomBy(1 / ZOOM)}>−</button>
            <button type="button" class="button icon plain" aria-label="Zoom in" title="Zoom in (+), or Ctrl and the wheel" onClick={() => zoomBy(ZOOM)}>+</button>
            <button type="button" class="button plain" title="Show all of it (0)" disabled={view === null} onClick={() => setView(null)}>Fit</button>
          </>}
          <button type="button" class="button plain" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>Table</button>
        </span>
      </div>
      {asTable ? <TimelineTable runId={feed.runId} rows={rows} /> : (
        <div class="timeline-frame" ref={frame} onKeyDown={onKeyDown} onPointerOver={onPointerOver} onPointerLeave={() => setPointed(null)}>
          <div class="timeline-head" aria-hidden="true">
            <span class="timeline-label" />
            <div class="timeline-track" ref={track}>
              {marks.map((mark) => <span key={mark.at} class="timeline-tick" style={{ transform: `translateX(${px(mark.at)}px)` }}>{mark.label}</span>)}
            </div>
          </div>
          <div class="timeline-rows">
            <div class="timeline-back" aria-hidden="true">
              {marks.map((mark) => <i key={mark.at} class="timeline-grid" style={{ transform: `translateX(${px(mark.at)}px)` }} />)}
              {phases.map((phase) => {
                if (phase.kind !== "paused") return null;
                const place = stretch(shown, width, phase.from, phase.to ?? moment);
                return place && <i key={phase.from} class="timeline-paused" style={{ transform: `translateX(${place.left}px)`, width: `${place.width}px` }} />;
              })}
            </div>
            <VirtualList
              class="timeline-list" label="Steps" items={rows} rowHeight={ROW} overscan={6} control={list} keyOf={(row) => row.step.key}
              row={(row, index) => {
                const status = shownStepStatus(row.step);
                return (
                  <TimelineRowView
                    runId={feed.runId} row={row} index={index} status={status} view={shown} width={width} now={moment} focusable={index === Math.min(at.row, rows.length - 1)}
                    words={rowWords(row, STATUSES[status].word, moment)}
                    onFocus={() => { setAt({ row: index, line: 0 }); point(index, 0); }} onBlur={() => setPointed(null)}
                  />
                );
              }}
            />
            <div class="timeline-front" aria-hidden="true">
              {nowAt && <i class="timeline-now" style={{ transform: `translateX(${nowAt.left}px)` }} />}
            </div>
          </div>
          {pointed && <Tip pointed={pointed} now={moment} origin={started!} />}
        </div>
      )}
    </section>
  );
}
