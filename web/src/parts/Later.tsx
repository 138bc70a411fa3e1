import { type ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

import { Failed } from "./Failed";

/** A part of the page that is loaded when it is first shown. `load` must be the same function every time. */
export function Later<P extends object>({ load, props }: { load: () => Promise<{ default: ComponentType<P> }>; props: P }) {
  const [found, setFound] = useState<{ view: ComponentType<P> } | { error: unknown } | null>(null);
  const [tries, setTries] = useState(0);
  useEffect(() => {
    let wanted = true;
    load().then(
      (module) => wanted && setFound({ view: module.default }),
      (error: unknown) => wanted && setFound({ error }),
    );
    return () => { wanted = false; };
  }, [load, tries]);
  if (found === null) return null;
  if ("error" in found) return <Failed error={found.error} retry={() => setTries(tries + 1)} />;
  const View = found.view;
  return <View {...props} />;
}
