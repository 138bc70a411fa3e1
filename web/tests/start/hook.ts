// Runs a hook in a component that draws nothing, so that no browser is needed.
import { h, render } from "preact";

export interface Running<A, T> {
  /** What the hook returned in each render, in order. */
  readonly returned: readonly T[];
  last: () => T;
  /** Render again with something else given. */
  give: (argument: A) => void;
  end: () => void;
}

export function runHook<A, T>(hook: (argument: A) => T, first: A): Running<A, T> {
  const returned: T[] = [];
  const place = { nodeType: 1, childNodes: [], firstChild: null, namespaceURI: "", insertBefore() {}, removeChild() {} } as unknown as Element;
  const Host = ({ argument }: { argument: A }) => {
    returned.push(hook(argument));
    return null;
  };
  const give = (argument: A) => render(h(Host, { argument }), place);
  give(first);
  return { returned, last: () => returned.at(-1)!, give, end: () => render(null, place) };
}
