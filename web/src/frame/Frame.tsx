import type { ComponentChildren } from "preact";

import { Notices } from "../parts/notices";

/** What stands around every page: the rail, the top bar, messages. */
export function Frame({ children }: { children: ComponentChildren }) {
  return (
    <>
      <main>{children}</main>
      <Notices />
    </>
  );
}
