// The provisioning of a host as its users know it: the usual steps in their usual order.
import type { Action, State } from "../api/types";
import { emptyDraft, newStep, type Draft } from "./draft";
import type { Schema } from "./form/schema";

const USUAL: readonly (readonly [action: string, label: string])[] = [
  ["ssh.test_ssh", "Test the connection"],
  ["ssh.setup_civitdl", "Set up civitdl"],
  ["ssh.test_civitdl", "Test civitdl"],
  ["ssh.install_custom_nodes", "Install the custom nodes"],
  ["ssh.setup_python_venv", "Create the virtual environment"],
  ["ssh.set_ui_home", "Set UI_HOME"],
  ["ssh.get_ui_home", "Read UI_HOME"],
  ["ssh.verify_dependencies", "Verify the dependencies"],
  ["ssh.sync_instance", "Copy files"],
  ["ssh.reboot_instance", "Reboot the host"],
];

/** The usual steps that this server has. Those that cannot run as they stand, and the reboot, begin switched off. */
export function provisioningDraft(actions: readonly Action[], delay: string): Draft {
  const known = new Map(actions.map((action) => [action.name, action]));
  const steps = USUAL.filter(([name]) => known.has(name)).map(([name, label]) =>
    newStep(name, [], { label, enabled: name !== "ssh.reboot_instance" && stillNeeded(known.get(name)!).length === 0 }),
  );
  return { ...emptyDraft(), name: "Provision a host", delay, steps };
}

/** Parameters without which the action cannot run and which the server's settings do not fill in. */
export function stillNeeded(action: Action): string[] {
  const preset = new Set(action.preset);
  return ((action.parameters as Schema).required ?? []).filter((name) => !preset.has(name));
}

/** The form as the run in hand was started: its host, and which steps were on; without one the host of the latest run. */
export function restored(draft: Draft, current: State | null, latest: string | undefined): Draft {
  const connection = current?.ssh_connection ?? latest ?? "";
  if (current === null || current.ssh_connection === null || current.ssh_connection === undefined) return { ...draft, connection };
  const run = new Map(current.steps.map((step) => [step.key, step]));
  // Of one step that was run alone nothing follows for the others.
  if (run.size < 2 || !current.steps.every((step) => draft.steps.some((one) => one.key === step.key))) return { ...draft, connection };
  return { ...draft, connection, steps: draft.steps.map((step) => ({ ...step, enabled: run.has(step.key) && run.get(step.key)!.status !== "skipped" })) };
}
