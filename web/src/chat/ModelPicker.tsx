import { useEffect, useId, useRef, useState } from "preact/hooks";

import { MOST_AGENTS, MOST_CONTENDERS, type Asked, type Mode } from "./asked";
import { ChevronIcon } from "./icons";
import { ModelName } from "./ModelName";
import { isDemo, partsOf } from "./names";
import type { Model } from "./types";

export interface ModelPickerProps {
  models: readonly Model[];
  asked: Asked;
  choose: (asked: Asked) => void;
}

const MODES: readonly { mode: Mode; word: string; meaning: string }[] = [
  { mode: "one", word: "One model", meaning: "One model answers." },
  { mode: "mixture", word: "Mixture", meaning: "Several models propose at once, and one makes an answer of that." },
  { mode: "arena", word: "Arena", meaning: "Two to four models answer side by side, without names until you have voted." },
];

/** Who is to answer. */
export function ModelPicker({ models, asked, choose }: ModelPickerProps) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    if (!open) return;
    root.current?.querySelector<HTMLElement>("input:checked")?.focus();
    const away = (event: Event) => { if (!root.current?.contains(event.target as Node)) setOpen(false); };
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [open]);
  const close = () => {
    setOpen(false);
    root.current?.querySelector<HTMLElement>("button")?.focus();
  };
  const single = models.filter((model) => model.kind === "model");
  return (
    <div
      class="picker" ref={root}
      onKeyDown={(event) => {
        if (!open || event.key !== "Escape") return;
        event.stopPropagation();
        close();
      }}
      onFocusOut={(event) => {
        const to = event.relatedTarget as HTMLElement | null;
        // Gone on by Tab. A press on a label first gives the focus to what stands around all, which Tab does not reach.
        if (open && to !== null && to.tabIndex >= 0 && !root.current?.contains(to)) setOpen(false);
      }}
    >
      <button type="button" class="button plain picker-button" aria-haspopup="dialog" aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
        <span class="sr-only">Who answers: </span><Chosen asked={asked} models={models} /><ChevronIcon />
      </button>
      {open && (
        <div class="picker-panel" id={id} role="dialog" aria-label="Who answers">
          <fieldset class="scheme-choice picker-modes">
            <legend class="sr-only">How</legend>
            <div class="scheme-choice-all">
              {MODES.map(({ mode, word }) => (
                <label key={mode} class="scheme-choice-one"><input type="radio" name={`${id}-mode`} checked={asked.mode === mode} onChange={() => choose({ ...asked, mode })} />{word}</label>
              ))}
            </div>
          </fieldset>
          <p class="muted small">{MODES.find((one) => one.mode === asked.mode)!.meaning}</p>
          {asked.mode === "one" && <Models models={models} name={`${id}-one`} legend="Model" chosen={[asked.model]} most={1} choose={([model]) => { choose({ ...asked, model: model ?? asked.model }); }} />}
          {asked.mode === "arena" && <Models models={single} name={`${id}-arena`} legend="Models to compare" chosen={asked.contenders} most={MOST_CONTENDERS} choose={(contenders) => choose({ ...asked, contenders })} />}
          {asked.mode === "mixture" && (
            <>
              <Models models={single} name={`${id}-agents`} legend="Agents that propose" chosen={asked.agents} most={MOST_AGENTS} choose={(agents) => choose({ ...asked, agents })} />
              <label class="picker-aggregator"><span>The answer is made by</span>
                <select value={asked.aggregator} onChange={(event) => choose({ ...asked, aggregator: event.currentTarget.value })}>
                  {single.map((model) => <option key={model.name} value={model.name}>{optionOf(model)}</option>)}
                </select>
              </label>
            </>
          )}
          <button type="button" class="button picker-done" onClick={close}>Done</button>
        </div>
      )}
    </div>
  );
}

function Chosen({ asked, models }: { asked: Asked; models: readonly Model[] }) {
  if (asked.mode === "arena") return <span>Arena{asked.contenders.length > 0 ? ` of ${asked.contenders.length}` : ": choose models"}</span>;
  if (asked.mode === "mixture") return <span>Mixture{asked.agents.length > 0 ? ` of ${asked.agents.length}` : ": choose agents"}</span>;
  const model = models.find((one) => one.name === asked.model);
  if (model?.kind === "mixture") return <span>{model.label}</span>;
  return asked.model === "" ? <span>No model</span> : <ModelName name={asked.model} />;
}

interface ModelsProps {
  models: readonly Model[];
  name: string;
  legend: string;
  chosen: readonly string[];
  most: number;
  choose: (names: readonly string[]) => void;
}

function Models({ models, name, legend, chosen, most, choose }: ModelsProps) {
  const providers = [...new Set(models.map((model) => model.provider))];
  const full = most > 1 && chosen.length >= most;
  return (
    <fieldset class="picker-models">
      <legend class="picker-legend">{legend}{most > 1 && <span class="muted"> {chosen.length} of at most {most}</span>}</legend>
      {providers.map((provider) => (
        <div key={provider} class="picker-provider">
          <p class="picker-provider-name">{provider === "mixture" ? "mixtures" : provider}{isDemo(`${provider}/`) && <span class="tag">offline demo, no language model</span>}</p>
          {models.filter((model) => model.provider === provider).map((model) => {
            const on = chosen.includes(model.name);
            const toggled = on ? chosen.filter((one) => one !== model.name) : [...chosen, model.name];
            return (
              <label key={model.name} class="picker-model">
                <input type={most === 1 ? "radio" : "checkbox"} name={name} checked={on} disabled={full && !on} onChange={() => choose(most === 1 ? [model.name] : toggled)} />
                <span class="picker-model-name">{partsOf(model.name).model}</span>
                <span class="picker-model-label">{about(model)}</span>
              </label>
            );
          })}
        </div>
      ))}
    </fieldset>
  );
}

/** What its label says beside its name. */
function about(model: Model): string {
  const own = partsOf(model.name).model;
  const at = model.label.indexOf(`${own}: `);
  return at >= 0 ? model.label.slice(at + own.length + 2) : "";
}

const optionOf = (model: Model): string => `${partsOf(model.name).model} (${isDemo(model.name) ? "offline demo" : model.provider})`;
