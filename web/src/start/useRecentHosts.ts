import { useEffect, useState } from "preact/hooks";

import { get } from "../api/client";
import { commandOfAddress } from "./target";

const RUNS = 50;

/** Command lines of the hosts of the latest runs, the latest first. Empty while nobody knows; the page works without. */
export function useRecentHosts(): readonly string[] {
  const [hosts, setHosts] = useState<readonly string[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    get("/workflow/runs", { query: { limit: RUNS }, signal: abort.signal }).then(
      ({ runs }) => {
        const addresses = new Set(runs.flatMap((run) => (run.host === null ? [] : [run.host])));
        setHosts([...addresses].flatMap((address) => commandOfAddress(address) ?? []));
      },
      () => undefined,
    );
    return () => abort.abort();
  }, []);
  return hosts;
}
