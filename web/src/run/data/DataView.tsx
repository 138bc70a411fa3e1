import { exactTime } from "../../format/times";
import type { Json, State } from "../../api/types";
import type { RunFeed } from "../../live/feed";
import { Copy } from "../../parts/Copy";
import { Failed } from "../../parts/Failed";
import { Tree } from "../../parts/Tree";
import { paths } from "../../router";
import "./data.css";

/** What a run was given and what is known of it, down to the raw state. */
export default function DataView({ feed }: { feed: RunFeed }) {
  const state = feed.state.value;
  if (state === null) {
    if (feed.shown.value === "failed") return <Failed error={feed.problem.value} retry={() => void feed.refresh()} />;
    return <div class="data" role="status" aria-label="Loading"><span class="skeleton" /><span class="skeleton" /></div>;
  }
  return (
    <div class="data">
      {state.error && <RunError state={state} />}
      <section class="data-part">
        <h2>About the run</h2>
        <dl class="data-facts">
          <Fact name="Id" value={state.workflow_id} mono copied />
          <Fact name="Name" value={state.name} />
          <Fact name="Host" value={state.ssh_connection ?? null} mono copied />
          <Fact name="Template" value={state.template_id ?? null} mono />
          <Fact name="Started by" value={state.started_by} />
          {state.forked_from && <><dt>Forked from</dt><dd><a class="link mono" href={paths.run(state.forked_from)}>{state.forked_from}</a></dd></>}
          <Fact name="Priority" value={String(state.priority)} />
          <Fact name="Started" value={exactTime(state.start_time)} />
          <Fact name="Last change" value={exactTime(state.last_update)} />
          <Fact name="Ended" value={state.end_time ? exactTime(state.end_time) : null} />
          <Fact name="Version" value={String(state.version)} />
        </dl>
      </section>
      {state.params_truncated
        ? <section class="data-part"><h2>Parameters</h2><p class="muted small">The parameters of this run are too large for its state; those of each step are with the step.</p></section>
        : <Tree value={(state.params ?? {}) as Json} title="Parameters" label="parameters of the run" empty="This run was given no parameters." />}
      <Tree value={(state.metadata ?? {}) as Json} title="Metadata" label="metadata of the run" empty="Nothing was noted with it." />
      <details class="data-raw">
        <summary>The state as the server told it</summary>
        <p class="muted small">
          {state.steps_truncated ? `It holds ${state.steps.length} of the ${state.total_steps.toLocaleString()} steps. ` : ""}
          The page keeps it up to date with what comes live.
        </p>
        <Tree value={state as unknown as Json} label="the state" />
      </details>
    </div>
  );
}

function RunError({ state }: { state: State }) {
  const error = state.error!;
  return (
    <section class="data-error">
      <h2>Why it failed</h2>
      <p>{error.message}</p>
      <p class="small">
        <code>{error.code}</code>
        {error.step && <> · step <a class="link" href={paths.step(state.workflow_id, error.step, "result")}>{error.step}</a></>}
      </p>
      {Object.keys(error.details ?? {}).length > 0 && <Tree value={error.details as Json} label="details of the error" />}
    </section>
  );
}

function Fact({ name, value, mono = false, copied = false }: { name: string; value: string | null; mono?: boolean; copied?: boolean }) {
  if (value === null || value === "") return null;
  return (
    <>
      <dt>{name}</dt>
      <dd class={mono ? "mono" : undefined}>{value}{copied && <Copy text={() => value} className="data-copy" />}</dd>
    </>
  );
}
