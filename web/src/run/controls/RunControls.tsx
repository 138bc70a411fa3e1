import type { State } from "../../api/types";
import type { RunFeed } from "../../live/feed";
import { messageOf } from "../../parts/Failed";
import { Menu, type MenuItem } from "../../parts/Menu";
import { say } from "../../parts/notices";
import { whyNotOperator } from "../../session";
import { asNewStart } from "../../start/again";
import { useArchived } from "./archived";
import { isSending } from "./asking";
import { likely, others, runReason, type RunControl } from "./possible";
import { KEYS, labelOf, SENDING } from "./words";
import "./controls.css";

interface Props {
  feed: RunFeed;
  state: State;
  ask: (control: RunControl) => void;
  copy: (form: "yaml" | "curl") => void;
}

/** What can be done with the run: the likely one first, the others in the menu. */
export function RunControls({ feed, state, ask, copy }: Props) {
  const why = whyNotOperator.value;
  const archived = useArchived(feed.runId, state.active);
  const items: MenuItem[] = others(state).map((control) => ({
    label: labelOf(control, state), act: () => ask(control), reason: control === "archive" && archived === true ? "It is archived." : runReason(control, state, why),
    ...(KEYS[control] ? { keys: KEYS[control] } : {}), ...(control === "stop" ? { danger: true } : {}),
  }));
  items.push({ label: "Use as a new start", act: () => void toForm(feed.runId) });
  items.push({ label: "Copy as YAML", act: () => copy("yaml") }, { label: "Copy as curl", act: () => copy("curl") });
  return (
    <div class="run-controls">
      {archived === true && <span class="tag" title="It is not shown as the current run any more; a retry takes it out of the archive.">Archived</span>}
      {likely(state).map((control, place) => (
        <ControlButton key={control} feed={feed} state={state} control={control} first={place === 0} ask={ask} />
      ))}
      <Menu label="More controls" items={items} className="button run-controls-more"><span aria-hidden="true">⋯</span></Menu>
    </div>
  );
}

async function toForm(runId: string): Promise<void> {
  try {
    await asNewStart(runId);
  } catch (error) {
    say(`The workflow of the run could not be read: ${messageOf(error)}`, "failed");
  }
}

function ControlButton({ feed, state, control, first, ask }: { feed: RunFeed; state: State; control: RunControl; first: boolean; ask: Props["ask"] }) {
  const sent = isSending(feed.runId, { control, step: null });
  const stopping = control === "stop" && state.stopping;
  const reason = runReason(control, state, whyNotOperator.value);
  const tone = control === "stop" ? "danger" : first ? "primary" : "";
  return (
    <button
      type="button" class={`button ${tone}`} disabled={sent || reason !== null} title={stopping ? "It is stopped once what runs has confirmed it." : (reason ?? undefined)}
      aria-keyshortcuts={KEYS[control]} onClick={() => ask(control)}
    >
      {stopping ? "Stopping…" : sent ? SENDING : labelOf(control, state)}
      {!stopping && !sent && reason === null && KEYS[control] && <kbd aria-hidden="true">{KEYS[control]}</kbd>}
    </button>
  );
}
