import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** Nearer to the end than this counts as there. */
const NEAR_PX = 48;

export interface Following {
  /** Whether the page stays at its end. */
  follows: boolean;
  /** Something was added below since the reader scrolled away. */
  news: boolean;
  toEnd: () => void;
}

/**
 * Keep the page at its end while `content` grows, until the reader scrolls up. `grows`: something is being written; what grows
 * otherwise was opened by the reader, who looks at it.
 */
export function useFollow(content: { current: HTMLElement | null }, place: string, grows: boolean): Following {
  const [state, setState] = useState({ follows: true, news: false });
  const follows = useRef(true);
  const growing = useRef(grows);
  // What the end of writing itself adds belongs to it.
  useEffect(() => { growing.current = grows; }, [grows]);
  const last = useRef({ top: 0, height: 0 });

  const end = () => document.documentElement.scrollHeight - innerHeight;
  const toEnd = () => {
    follows.current = true;
    setState({ follows: true, news: false });
    scrollTo({ top: end() });
  };
  // Another conversation begins at its end.
  useLayoutEffect(() => toEnd(), [place]);

  useLayoutEffect(() => {
    const element = content.current;
    if (element === null) return;
    const grown = new ResizeObserver(() => {
      const { height } = element.getBoundingClientRect();
      const grew = height > last.current.height + 1;
      last.current.height = height;
      if (follows.current && growing.current) scrollTo({ top: end() });
      else if (grew) setState((old) => (old.news ? old : { ...old, news: true }));
    });
    grown.observe(element);
    const scrolled = () => {
      const top = scrollY;
      const near = end() - top < NEAR_PX;
      // What scrolls down by itself is this page; only people scroll up.
      const next = near || (follows.current && top >= last.current.top);
      last.current.top = top;
      if (next === follows.current) return;
      follows.current = next;
      setState({ follows: next, news: false });
    };
    addEventListener("scroll", scrolled, { passive: true });
    return () => {
      grown.disconnect();
      removeEventListener("scroll", scrolled);
    };
  }, [place]);
  return { ...state, toEnd };
}
