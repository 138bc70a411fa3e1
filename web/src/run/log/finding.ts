// Finding in a log that grows: looks through it in slices between frames, and goes from match to match.
import { useEffect, useRef, useState } from "preact/hooks";

import { Finder, firstFrom, type Match } from "./find";
import type { LogReader } from "./reader";

export interface Finding {
  needle: string;
  matches: readonly Match[];
  current: number;
  full: boolean;
  busy: boolean;
  setNeedle: (needle: string) => void;
  step: (by: 1 | -1) => void;
}

/** `from` says at which line a new search begins, `show` brings a match into view. */
export function useFinding(reader: LogReader, changed: number, from: () => number, show: (match: Match) => void): Finding {
  const [needle, setNeedle] = useState("");
  const [current, setCurrent] = useState(-1);
  const [looked, setLooked] = useState({ busy: false, at: 0 });
  const finder = useRef<Finder | null>(null);
  const placed = useRef(false);

  useEffect(() => {
    finder.current = needle === "" ? null : new Finder(needle);
    placed.current = false;
    setCurrent(-1);
    setLooked({ busy: needle !== "", at: 0 });
  }, [needle, reader]);

  useEffect(() => {
    const looking = finder.current;
    if (!looking) return;
    let timer = 0;
    const slice = () => {
      const busy = looking.advance(reader.buffer.ended, reader.buffer.open());
      if (!placed.current && looking.matches.length > 0) {
        const first = firstFrom(looking.matches, from());
        // A match further down may still be nearer than the first of all.
        if (!busy || looking.matches[first]!.line >= from()) {
          placed.current = true;
          setCurrent(first);
          show(looking.matches[first]!);
        }
      }
      setLooked((before) => ({ busy, at: before.at + 1 }));
      if (busy) timer = window.setTimeout(slice);
    };
    timer = window.setTimeout(slice, looked.at === 0 ? 60 : 0);
    return () => clearTimeout(timer);
  }, [needle, reader, changed]);

  const matches = finder.current?.needle === needle ? finder.current.matches : [];
  return {
    needle,
    matches,
    current: Math.min(current, matches.length - 1),
    full: finder.current?.full ?? false,
    busy: looked.busy,
    setNeedle,
    step(by) {
      if (matches.length === 0) return;
      const next = (Math.max(current, by === 1 ? -1 : 0) + by + matches.length) % matches.length;
      setCurrent(next);
      show(matches[next]!);
    },
  };
}
