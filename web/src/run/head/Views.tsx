import type { State } from "../../api/types";
import { paths, type RunView } from "../../router";
import { isBranching } from "../graph/branching";

const NAMES: Record<RunView, string> = { steps: "Steps", timeline: "Timeline", graph: "Graph", trace: "Trace", data: "Data" };

/** The ways to look at a run; each has its address. */
export function Views({ state, view }: { state: State; view: RunView }) {
  const shown = (["steps", "timeline", "graph", "trace", "data"] as const).filter((one) => one !== "graph" || view === "graph" || isBranching(state.steps));
  return (
    <nav class="run-views" aria-label="Views of the run">
      {shown.map((one) => (
        <a key={one} class="run-view" href={paths.run(state.workflow_id, one)} aria-current={one === view ? "page" : undefined}>{NAMES[one]}</a>
      ))}
    </nav>
  );
}
