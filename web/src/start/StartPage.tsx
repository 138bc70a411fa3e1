import { useEffect } from "preact/hooks";

import { Failed } from "../parts/Failed";
import { query } from "../router";
import { BuildPage } from "./BuildPage";
import { actions, catalogueError, readCatalogue, templates } from "./catalogue";
import { HostPage } from "./HostPage";
import { TemplateList } from "./TemplateList";
import { TemplatePage } from "./TemplatePage";
import "./start.css";

type Mode = "host" | "template" | "build";

const MODES: readonly (readonly [mode: Mode, label: string])[] = [
  ["host", "Provision a host"],
  ["template", "From a template"],
  ["build", "Build a workflow"],
];

/** Start a run: provision a host, use a template, or build a workflow. `?mode=` and `?template=` say which. */
export default function StartPage() {
  useEffect(() => { void readCatalogue(); }, []);
  const templateId = query.value.get("template");
  const mode = modeOf(query.value.get("mode"), templateId);
  return (
    <div class="start">
      <header class="start-head">
        <h1 class="sr-only">Start</h1>
        <nav class="start-modes" aria-label="How to start">
          {MODES.map(([one, label]) => <a key={one} class="start-mode" href={`/start?mode=${one}`} aria-current={one === mode ? "page" : undefined}>{label}</a>)}
        </nav>
      </header>
      {actions.value !== null ? pageOf(mode, templateId) : catalogueError.value !== null ? <Failed error={catalogueError.value} retry={() => void readCatalogue()} /> : <Waiting />}
    </div>
  );
}

const modeOf = (asked: string | null, templateId: string | null): Mode =>
  MODES.find(([mode]) => mode === asked)?.[0] ?? (templateId === null ? "host" : "template");

function pageOf(mode: Mode, templateId: string | null) {
  switch (mode) {
    case "host": return <HostPage templateId={templateId} />;
    case "template": return templateId === null ? <TemplateList templates={templates.value ?? []} /> : <TemplatePage key={templateId} templateId={templateId} />;
    case "build": return <BuildPage />;
  }
}

function Waiting() {
  return <div class="start-waiting" aria-busy="true" aria-label="Loading">{[1, 2, 3, 4, 5].map((line) => <span key={line} class="skeleton" />)}</div>;
}
