import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";

import { address } from "../../api/client";
import { bindKeys } from "../../keys";
import type { RunFeed } from "../../live/feed";
import { Copy } from "../../parts/Copy";
import { Failed } from "../../parts/Failed";
import { VirtualList, type VirtualListControl } from "../../parts/VirtualList";
import { paths, query, setQuery } from "../../router";
import { FindBox } from "./FindBox";
import { inLine } from "./find";
import { useFinding } from "./finding";
import type { Line } from "./lines";
import { LogLine } from "./LogLine";
import { LogReader } from "./reader";
import { parseRange, rangeText } from "./segments";
import { useKept } from "./kept";
import "./log.css";
import "./ansi.css";

const ROW = 20;

export interface LogViewProps {
  feed: RunFeed;
  step: string;
  attempt: number;
  /** The attempt goes on. */
  running: boolean;
  /** The attempt ended other than well: what matters stands at the end. */
  badEnd: boolean;
  /** Of which attempts there are logs, for the choice. */
  attempts: number[];
  chosen: number | null;
}

/** The log of one attempt. Must be mounted anew for another one. */
export function LogView({ feed, step, attempt, running, badEnd, attempts, chosen }: LogViewProps) {
  const reader = useMemo(() => new LogReader(feed, step, attempt), [feed, step, attempt]);
  useEffect(() => reader.start(), [reader]);
  const changed = reader.changed.value;
  const reads = reader.reads.value;
  const range = parseRange(query.value.get("line"));

  const [follow, setFollow] = useState((running || badEnd) && range === null);
  const [seen, setSeen] = useState(0);
  const [wrap, setWrap] = useKept("log-wrap");
  const [times, setTimes] = useKept("log-times");
  const list = useRef<VirtualListControl | null>(null);
  const findInput = useRef<HTMLInputElement | null>(null);

  const lines = useLines(reader, changed);
  const finding = useFinding(reader, changed, () => list.current?.first() ?? 0, (match) => {
    setFollow(false);
    setSeen(reader.buffer.count);
    list.current?.show(match.line, "center");
  });

  // The line of the address is shown once it is there; afterwards the reader goes where they like.
  const shown = useRef<string | null>(null);
  useEffect(() => {
    const wanted = range ? rangeText(range) : null;
    if (wanted === null || shown.current === wanted || !range || lines.length < range.from) return;
    shown.current = wanted;
    list.current?.show(range.from - 1, "center");
  }, [lines.length, range?.from, range?.to]);

  const pick = useCallback((number: number, extend: boolean) => {
    const before = parseRange(query.peek().get("line"));
    const next = extend && before ? { from: Math.min(before.from, number), to: Math.max(number, before.from) } : { from: number, to: number };
    const text = rangeText(next);
    shown.current = text;
    setFollow(false);
    setSeen(reader.buffer.count);
    // A link to a line must mean the same log later on, when there may be further attempts.
    setQuery({ line: before && rangeText(before) === text ? null : text, attempt: String(attempt) });
  }, [reader, attempt]);

  useEffect(() => bindKeys([
    { keys: "/", label: "Find in the log", group: "Log", act: () => { findInput.current?.focus(); findInput.current?.select(); } },
    { keys: "w", label: "Wrap long lines", group: "Log", act: () => setWrap((before) => !before) },
    { keys: "G", label: "Go to the end of the log", group: "Log", act: () => { setFollow(true); list.current?.show(reader.buffer.count - 1, "start"); } },
  ]), [reader]);

  const following = follow && (running || badEnd);
  const fresh = running && !follow ? Math.max(0, lines.length - seen) : 0;
  const base = paths.step(feed.runId, step);
  const wholeText = () => lines.map((line) => line.text).join("\n");
  const picked = range ? lines.slice(range.from - 1, range.to) : [];

  return (
    <section class="log" aria-label="Log">
      <div class="log-bar">
        <FindBox
          input={findInput} needle={finding.needle} onNeedle={finding.setNeedle} current={finding.current}
          count={finding.matches.length} full={finding.full} busy={finding.busy} step={finding.step}
        />
        <div class="log-tools">
          {attempts.length > 1 && (
            <select
              class="log-attempt" aria-label="Attempt" value={String(chosen ?? attempt)}
              onChange={(event) => {
                const value = Number(event.currentTarget.value);
                setQuery({ attempt: value === Math.max(...attempts) ? null : String(value), line: null });
              }}
            >
              {attempts.map((one) => <option key={one} value={String(one)}>Attempt {one}</option>)}
            </select>
          )}
          <button type="button" class="button plain" aria-pressed={wrap} title="Wrap long lines (w)" onClick={() => setWrap(!wrap)}>Wrap</button>
          <button type="button" class="button plain" aria-pressed={times} title="Show when each line was written" onClick={() => setTimes(!times)}>Times</button>
          <Copy
            label={picked.length > 0 ? `Copy ${picked.length === 1 ? "line" : `${picked.length} lines`}` : "Copy"}
            text={() => (picked.length > 0 ? picked.map((line) => line.text).join("\n") : wholeText())}
          />
          <a
            class="button plain" download href={address("/workflow/logs", undefined, { workflow_id: feed.runId, step, attempt, download: true })}
            title="All of this log as a text file"
          >Download</a>
        </div>
      </div>
      {range !== null && reads === "read" && lines.length > 0 && lines.length < range.from && (
        <p class="log-note" role="status">This log has no line {range.from}{running ? " yet" : ""}; it has {lines.length.toLocaleString()}.</p>
      )}
      {reader.problem.value !== null && reads === "read" && <p class="log-note" role="status">The log could not be read on; trying again.</p>}
      <div class="log-frame">
        {lines.length === 0 ? <Empty reads={reads} running={running} problem={reader.problem.value} retry={() => void reader.read()} /> : (
          <VirtualList
            class="log-list" items={lines} rowHeight={ROW} measured={wrap} overscan={10} control={list} role="group" focusable label="Lines of the log"
            width={wrap ? undefined : `calc(${reader.buffer.longest}ch + ${times ? 190 : 90}px)`}
            follow={following} onFollow={(on) => { setFollow(on && running); setSeen(reader.buffer.count); }}
            row={(line, index) => {
              const found = inLine(finding.matches, index);
              return (
                <LogLine
                  line={line} number={index + 1} href={`${base}?attempt=${attempt}&line=${index + 1}`} times={times} wrap={wrap} pick={pick}
                  marked={range !== null && index + 1 >= range.from && index + 1 <= range.to}
                  matches={found.matches} firstMatch={found.first} currentMatch={found.matches.length > 0 ? finding.current : -1}
                />
              );
            }}
          />
        )}
        {running && !follow && lines.length > 0 && (
          <button type="button" class="log-fresh" onClick={() => { setFollow(true); list.current?.show(lines.length - 1, "start"); }}>
            {fresh === 0 ? "Follow" : fresh === 1 ? "1 new line" : `${fresh.toLocaleString()} new lines`} ↓
          </button>
        )}
      </div>
      {reader.buffer.dropped > 0 && <p class="log-note">{reader.buffer.dropped.toLocaleString()} more lines are in the download.</p>}
    </section>
  );
}

/** The lines that ended and the one in hand, as one list. */
function useLines(reader: LogReader, changed: number): readonly Line[] {
  return useMemo(() => {
    const open = reader.buffer.open();
    return open ? [...reader.buffer.ended, open] : reader.buffer.ended.slice();
  }, [reader, changed]);
}

function Empty({ reads, running, problem, retry }: { reads: string; running: boolean; problem: unknown; retry: () => void }) {
  if (reads === "failed") return <Failed error={problem} retry={retry} />;
  if (reads === "loading") {
    return (
      <div class="log-skeleton" role="status" aria-label="Loading the log">
        {[62, 40, 78, 55, 30].map((width) => <span key={width} class="skeleton" style={{ width: `${width}%` }} />)}
      </div>
    );
  }
  return <p class="empty">{running ? "Waiting for the first line." : "This step has not written anything."}</p>;
}
