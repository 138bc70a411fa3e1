import { beforeEach, describe, expect, it, vi } from "vitest";

import type { JsonObject } from "../../src/api/types";

const went: string[] = [];
const said: string[] = [];
let workflow: JsonObject = {};
vi.mock("../../src/api/client", async (original) => ({ ...(await original<object>()), get: vi.fn(async () => ({ success: true, workflow })) }));
vi.mock("../../src/router", () => ({ go: (to: string) => went.push(to) }));
vi.mock("../../src/parts/notices", () => ({ say: (text: string) => said.push(text) }));
const kept = new Map<string, string>();
vi.stubGlobal("addEventListener", () => {});
vi.stubGlobal("window", globalThis);
vi.stubGlobal("sessionStorage", { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, text: string) => kept.set(name, text), removeItem: (name: string) => kept.delete(name) });

const { againOf, asNewStart } = await import("../../src/start/again");
const { draftNamed, replaceDraft, undoReplace } = await import("../../src/start/drafts");
const { emptyDraft, workflowOf } = await import("../../src/start/draft");

const ssh = { host: "10.1.2.3", user: "root", port: 2838, key: null };
const provisioning: JsonObject = {
  name: "Provision a host", ssh, step_delay_s: 5, concurrency_key: "root@10.1.2.3:2838", metadata: { user_agent: "curl", initiated_from: "api" },
  steps: [
    { key: "test_ssh", action: "ssh.test_ssh", label: "Test the connection" },
    { key: "sync", action: "ssh.sync_instance", params: { local: "/srv/photos", remote: "~/photos" } },
    { key: "reboot", action: "ssh.reboot_instance", enabled: false },
  ],
};

beforeEach(() => { went.length = 0; said.length = 0; });

describe("a run that was started elsewhere, used as a new start", () => {
  it("comes back with its host, pace, parameters and switches", () => {
    const { form, draft, secrets } = againOf(provisioning);
    expect([form, secrets]).toEqual(["host", false]);
    expect(workflowOf(draft).workflow).toEqual({
      name: "Provision a host", ssh: "ssh -p 2838 root@10.1.2.3", step_delay_s: 5, steps: provisioning.steps,
    });
  });

  it("keeps a key that somebody chose, and none that stands for the old host", () => {
    expect(againOf({ ...provisioning, concurrency_key: "photos" }).draft.options).toEqual({ concurrency_key: "photos" });
    expect(againOf({ ...provisioning, concurrency_key: null }).draft.options).toEqual({ concurrency_key: null });
    expect(againOf(provisioning).draft.options).toEqual({});
  });

  it.each([
    ["other actions", { steps: [{ key: "a", action: "noop" }] }], ["a graph", { steps: [{ key: "a", action: "ssh.test_ssh", needs: [] }] }],
    ["a policy", { steps: [{ key: "a", action: "ssh.test_ssh", timeout_s: 5 }] }], ["parameters of the run", { params: { x: 1 } }],
    ["a priority", { priority: 9 }], ["no host", { ssh: null }],
  ] as [string, JsonObject][])("goes into the whole form with %s, which the one for hosts would hide", (_what, more) => {
    const again = againOf({ ...provisioning, ...more });
    expect(again.form).toBe("build");
    const { metadata: _metadata, concurrency_key: _key, ssh: _ssh, ...given } = { ...provisioning, ...more } as JsonObject;
    expect(workflowOf(again.draft).workflow).toMatchObject(given);
  });

  it("opens the form, says that nothing is started, and leaves what stood there to be brought back", async () => {
    const typed = { ...emptyDraft(), connection: "ssh root@mine" };
    replaceDraft("host", typed);
    workflow = provisioning;
    await asNewStart("run-1");
    expect(went).toEqual(["/start?mode=host"]);
    expect(draftNamed("host").value?.steps.map((step) => step.params)).toEqual([{}, { local: "/srv/photos", remote: "~/photos" }, {}]);
    expect(said).toEqual([expect.stringContaining("Nothing is started yet")]);
    undoReplace("host");
    expect(draftNamed("host").value).toEqual(typed);
  });

  it("says where secrets are to be filled in", async () => {
    workflow = { steps: [{ key: "a", action: "noop", params: { token: "[redacted]" } }] };
    await asNewStart("run-1");
    expect([went, said]).toEqual([["/start?mode=build"], [expect.stringContaining("[redacted]")]]);
  });
});
