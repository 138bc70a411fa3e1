import { isDemo, partsOf } from "./names";
import "./model-name.css";

/** A model's name; what comes from the demo is no language model, and says so. */
export function ModelName({ name }: { name: string | null }) {
  if (name === null) return null;
  const { provider, model } = partsOf(name);
  return (
    <span class="model-name" title={name}>
      <span class="model-name-own">{model || name}</span>
      {isDemo(name) ? <span class="tag">offline demo</span> : provider && <span class="model-name-provider">{provider}</span>}
    </span>
  );
}
