import { Tree } from "../../parts/Tree";
import type { Json, JsonObject, StepState, WholeStep } from "../../api/types";
import { policyWords } from "./policy";

/** With what a step is run, and what holds for it. */
export function ParametersTab({ step, whole }: { step: StepState; whole: WholeStep }) {
  return (
    <div class="stack">
      <Tree value={whole.params as Json} title="Parameters" label="parameters of the step" empty="It was given no parameters." />
      <section class="stack-tight">
        <h3>How it is run</h3>
        <dl class="facts">
          <Fact name="Action"><code>{step.action}</code></Fact>
          <Fact name="Key"><code>{step.key}</code></Fact>
          <Fact name="Queue"><code>{whole.queue}</code></Fact>
          {policyWords(whole.policy as JsonObject, step.needs, step.needs_total).map(({ name, words }) => <Fact key={name} name={name}>{words}</Fact>)}
        </dl>
      </section>
      <details class="raw">
        <summary>The step as JSON</summary>
        <Tree value={whole as unknown as Json} label="the step" />
      </details>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return <><dt>{name}</dt><dd>{children}</dd></>;
}
