// Names of models for people, and new ids.
export const DEMO = "demo";

/** `provider/model` in its two parts; the model's own name may hold slashes. */
export function partsOf(name: string): { provider: string; model: string } {
  const slash = name.indexOf("/");
  return slash < 0 ? { provider: "", model: name } : { provider: name.slice(0, slash), model: name.slice(slash + 1) };
}

/** Whether it is of the demo that comes with the server, which is no language model. */
export const isDemo = (name: string | null): boolean => name !== null && partsOf(name).provider === DEMO;

/** `msg_<ms>_<random>`, as the server makes them. */
export function newId(kind: "msg" | "chat", now = Date.now()): string {
  const random = crypto.getRandomValues(new Uint8Array(8));
  return `${kind}_${now}_${[...random].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Contenders have letters until somebody has voted. */
export const letterOf = (index: number): string => String.fromCharCode(65 + index);
