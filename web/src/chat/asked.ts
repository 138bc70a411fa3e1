// Who is to answer: one model (or a mixture that has a name), agents of one's own choice, or models side by side.
import type { Mixture, Model, Sent } from "./types";
import { partsOf } from "./names";

export type Mode = "one" | "mixture" | "arena";

export interface Asked {
  mode: Mode;
  /** Of mode `one`; empty: the server's default. */
  model: string;
  agents: readonly string[];
  aggregator: string;
  contenders: readonly string[];
}

export const MOST_AGENTS = 8;
export const MOST_CONTENDERS = 4;

export const NOBODY: Asked = { mode: "one", model: "", agents: [], aggregator: "", contenders: [] };

/** The same, of models that there are. */
export function known(asked: Asked, models: readonly Model[], otherwise: string | null): Asked {
  const names = new Set(models.map((model) => model.name));
  const single = models.filter((model) => model.kind === "model");
  const first = otherwise ?? models[0]?.name ?? "";
  const plain = single.some((model) => model.name === first) ? first : single[0]?.name ?? "";
  return {
    ...asked,
    model: names.has(asked.model) ? asked.model : first,
    agents: asked.agents.filter((name) => names.has(name)),
    aggregator: names.has(asked.aggregator) ? asked.aggregator : plain,
    contenders: asked.contenders.filter((name) => names.has(name)),
  };
}

/** Why a message cannot be sent to them, null when it can. */
export function whyNot(asked: Asked): string | null {
  if (asked.mode === "one") return asked.model === "" ? "There is no model to ask: whoever runs this server names one in PERDURE_MODEL_PROVIDERS." : null;
  if (asked.mode === "mixture") return asked.agents.length === 0 ? "Choose the agents of the mixture." : null;
  return asked.contenders.length < 2 ? "Choose two to four models to compare." : null;
}

/** The part of a request that names them. */
export function request(asked: Asked): Pick<Sent, "chatModel" | "mixture" | "battle"> {
  if (asked.mode === "one") return { chatModel: partsOf(asked.model) };
  if (asked.mode === "arena") return { battle: asked.contenders };
  const mixture: Mixture = { proposers: asked.agents, aggregator: asked.aggregator };
  return { mixture };
}
