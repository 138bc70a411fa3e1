import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { watchAlerts } from "../alerts/watch";
import { Notices } from "../parts/notices";
import { route } from "../router";
import { arrivalFrom, type Arrival } from "./arrival";
import { CommandPalette } from "./CommandPalette";
import { bindFrameKeys } from "./frame-keys";
import { KeysHelp } from "./KeysHelp";
import { Rail } from "./Rail";
import { SessionEnd } from "./SessionEnd";
import { TopBar } from "./TopBar";
import "./frame.css";

/** What stands around every page: the rail, the top bar, messages, and what opens above the page. The window scrolls, the frame stays. */
export function Frame({ children }: { children: ComponentChildren }) {
  const main = useRef<HTMLElement>(null);
  useEffect(bindFrameKeys, []);
  useEffect(watchAlerts, []);
  useNewPage(main);
  return (
    <div class="frame">
      <a class="frame-skip button primary" href="#main" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>Skip to the page</a>
      <Rail />
      <div class="frame-side">
        <TopBar />
        <SessionEnd />
        <main id="main" class="frame-main" tabIndex={-1} ref={main}>{children}</main>
      </div>
      <Notices />
      <CommandPalette />
      <KeysHelp />
    </div>
  );
}

/** A page that was gone to begins at its top and has the focus, as a loaded one would; going back leaves the scrolling to the browser. */
function useNewPage(main: { current: HTMLElement | null }) {
  const at = route.value;
  const place = at.page === "run" ? at.runId : at.page;
  const arrival = useRef<Arrival>(null);
  arrival.current ??= arrivalFrom(place);
  useEffect(() => {
    const wentBack = () => arrival.current?.wentBack();
    addEventListener("popstate", wentBack);
    return () => removeEventListener("popstate", wentBack);
  }, []);
  // The route is another one with every change of the address, within a place as well.
  useEffect(() => {
    if (!arrival.current?.reached(place)) return;
    scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [at]);
}
