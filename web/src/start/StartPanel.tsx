import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";

import { Problem } from "../api/client";
import { bindKeys } from "../keys";
import { now } from "../now";
import { messageOf } from "../parts/Failed";
import { paths } from "../router";
import { me, whyNotOperator } from "../session";
import type { Draft } from "./draft";
import { segments } from "./form/pointer";
import { runInTheWay, sentence } from "./problems";
import { sortedPlaces, type Editor } from "./useEditor";
import type { Phase } from "./useLaunch";

/** What will be started, the button that does it, and what came of it. Beside the form, or below it on a phone. */
export function StartPanel({ editor, phase, label, start, summary, instead, before, tools, reason = null }: {
  editor: Editor;
  phase: Phase;
  label: string;
  start: () => void;
  summary: ComponentChildren;
  /** Stands in place of the button and its messages: what goes on already. */
  instead?: ComponentChildren;
  /** What came of the run before, until the next one. */
  before?: ComponentChildren;
  tools: ComponentChildren;
  /** Why it cannot be started, besides the role. */
  reason?: string | null;
}) {
  const held = phase.kind === "refused" && phase.retryAt !== null ? Math.ceil((phase.retryAt - now.value) / 1000) : 0;
  const why = me.value === null ? null : (whyNotOperator.value ?? reason);
  const sending = phase.kind === "sending" && phase.what === "all";
  const off = why !== null || sending || held > 0 || instead !== undefined;
  useEffect(() => bindKeys([{ keys: "mod+Enter", label: "Start", group: "Start", act: () => { if (!off) start(); } }]), [off, start]);
  return (
    <aside class="start-panel" aria-label="Start">
      <div class="start-panel-inner">
        <div class="start-panel-summary">{summary}</div>
        {instead ?? (
          <div class="start-panel-go">
            <button type="button" class="button primary start-go" disabled={off} onClick={start}>
              {sending ? "Sent" : held > 0 ? `Start in ${held} s` : phase.kind === "unanswered" ? "Send again" : label}
              {!off && <kbd>{/Mac|iP(hone|ad)/.test(navigator.platform) ? "⌘" : "Ctrl"} ⏎</kbd>}
            </button>
            <div class="start-panel-said" role="status">
              {why !== null && <p class="muted small">{why}</p>}
              <Said phase={phase} heldS={held} />
            </div>
            {phase.kind === "idle" && before}
            {editor.tried && <ToMend draft={editor.draft} faults={editor.faults} reveal={editor.reveal} phase={phase} />}
          </div>
        )}
        <div class="start-panel-tools">{tools}</div>
      </div>
    </aside>
  );
}

function Said({ phase, heldS }: { phase: Phase; heldS: number }) {
  switch (phase.kind) {
    case "sending":
      return phase.attempt === 1 ? null : <p class="small tone-amber">No answer yet; sent again (try {phase.attempt} of 4). It starts only once.</p>;
    case "unanswered":
      return <p class="small tone-amber">{messageOf(phase.error)} It is not known whether it was started. Sending it again starts nothing twice; nothing typed is lost.</p>;
    case "broken":
      return <p class="small tone-red">{phase.error instanceof Problem ? `${sentence(phase.error.message)} ${sentence(phase.error.mend ?? "")}` : messageOf(phase.error)}</p>;
    case "refused": {
      const { problem } = phase;
      const other = runInTheWay(problem);
      if (problem.status === 401) return <p class="small tone-amber">The session has ended. Sign in again; nothing typed is lost.</p>;
      if (problem.status === 429) return heldS > 0 ? <p class="small tone-amber">{sentence(problem.message)} It is possible again in {heldS} s.</p> : <p class="small muted">It is possible again now.</p>;
      return (
        <>
          <p class="small tone-red">{sentence(problem.message)}</p>
          {other !== null ? (
            <p class="small">Wait until it ends, or stop it: <a class="link mono" href={paths.run(other)}>{other}</a></p>
          ) : (
            problem.mend !== null && !problem.mend.startsWith("GET ") && <p class="muted small">{sentence(problem.mend)}</p>
          )}
        </>
      );
    }
    case "idle":
      return null;
  }
}

const SHOWN = 6;

function ToMend({ draft, faults, reveal, phase }: { draft: Draft; faults: Editor["faults"]; reveal: Editor["reveal"]; phase: Phase }) {
  const said = phase.kind === "refused" ? sentence(phase.problem.message) : null;
  const places = sortedPlaces(faults, draft).filter((place) => place !== "" && !(faults[place] === said && Object.keys(faults).length === 1));
  if (places.length === 0) return null;
  return (
    <div class="start-mend">
      <p class="small"><b>{places.length === 1 ? "One thing to mend" : `${places.length} things to mend`}</b></p>
      <ul>
        {places.slice(0, SHOWN).map((place) => (
          <li key={place}>
            <button type="button" class="start-mend-place" onClick={() => reveal(place)}>
              <span class="start-mend-where">{placeName(place, draft)}</span> {faults[place]}
            </button>
          </li>
        ))}
      </ul>
      {places.length > SHOWN && <p class="muted small">and {places.length - SHOWN} more</p>}
    </div>
  );
}

const NAMES: Record<string, string> = { connection: "SSH connection", steps: "Steps", name: "Name", step_delay_s: "Between steps", params: "Run parameters" };

/** "Install the custom nodes · nodes": where a fault is, for people. */
function placeName(place: string, draft: Draft): string {
  const [kind = "", id, ...rest] = segments(place);
  if (kind !== "steps" || id === undefined) return NAMES[kind] ?? kind.replace(/_/g, " ");
  const step = draft.steps.find((one) => one.id === id);
  const inner = rest.filter((part) => part !== "params").map((part) => (/^\d+$/.test(part) ? String(Number(part) + 1) : part)).join(" › ");
  return `${step?.label || step?.key || "Step"}${inner === "" ? "" : ` · ${inner}`}`;
}
