import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";

import type { Template } from "../../src/api/types";
import { chooser } from "../../src/start/choosing";
import { draftOf, emptyDraft, newStep, type Draft } from "../../src/start/draft";
import type * as Drafts from "../../src/start/drafts";

let drafts: typeof Drafts;
beforeAll(async () => {
  // What a tab has: the page's end, where drafts are written, and the place they are written to.
  vi.stubGlobal("addEventListener", () => {});
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal("sessionStorage", { getItem: () => null, setItem() {}, removeItem() {} });
  drafts = await import("../../src/start/drafts");
});

const draft = (name: string, given: Partial<Draft> = {}): Draft => ({ ...emptyDraft(), name, steps: [newStep("noop", [])], ...given });
let places = 0;
let place = "";
beforeEach(() => { place = `form-${(places += 1)}`; });
const shown = () => drafts.draftNamed(place).peek()?.name ?? null;
const before = () => drafts.draftNamed(drafts.replacedOf(place)).peek()?.name ?? null;

describe("a draft that another one replaces", () => {
  it("is kept, and brought back in exchange for the other", () => {
    drafts.keepDraft(place, draft("mine"));
    drafts.replaceDraft(place, draft("theirs"));
    expect([shown(), before()]).toEqual(["theirs", "mine"]);
    drafts.undoReplace(place);
    expect([shown(), before()]).toEqual(["mine", "theirs"]);
  });
  it("is kept when the form begins anew, also when that is filled then", () => {
    drafts.keepDraft(place, draft("mine"));
    drafts.replaceDraft(place, null);
    expect([shown(), before()]).toEqual([null, "mine"]);
    drafts.replaceDraft(place, draft("theirs"));
    expect([shown(), before()]).toEqual(["theirs", "mine"]);
  });
  it("is not kept where nothing was written, or the same is written again", () => {
    drafts.keepDraft(place, emptyDraft());
    drafts.replaceDraft(place, draftOf({ name: "a", steps: [{ key: "a", action: "noop" }] }));
    expect(before()).toBeNull();
    // Read again: the same but for the names of its steps.
    drafts.replaceDraft(place, draftOf({ name: "a", steps: [{ key: "a", action: "noop" }] }));
    expect(before()).toBeNull();
  });
  it("is forgotten when it is not wanted", () => {
    drafts.keepDraft(place, draft("mine"));
    drafts.replaceDraft(place, draft("theirs"));
    drafts.forgetReplaced(place);
    drafts.undoReplace(place);
    expect([shown(), before()]).toEqual(["theirs", null]);
  });
});

describe("a template that is chosen", () => {
  const template = (id: string, workflow: object = {}): Template => ({ template_id: id, name: id, workflow: { steps: [{ key: "a", action: "noop" }], ...workflow } }) as unknown as Template;
  /** A server that answers when it is told to. */
  function server() {
    const waiting = new Map<string, { resolve: (template: Template) => void; reject: (error: Error) => void }>();
    const read = (id: string) => new Promise<Template>((resolve, reject) => waiting.set(id, { resolve, reject }));
    return { choice: chooser(read), answer: (id: string, workflow?: object) => waiting.get(id)!.resolve(template(id, workflow)), fail: (id: string) => waiting.get(id)!.reject(new Error(id)) };
  }

  it("comes to the host that is typed by the time it was read, at its own pace if it has one", async () => {
    const { choice, answer } = server();
    let now = draft("mine", { connection: "ro", delay: "5" });
    const chosen = choice.choose("one", () => now);
    now = { ...now, connection: "root@host" };
    answer("one");
    expect(await chosen).toMatchObject({ name: "one", templateId: "one", connection: "root@host", delay: "5" });
    const again = choice.choose("two", () => now);
    answer("two", { step_delay_s: 9 });
    expect(await again).toMatchObject({ templateId: "two", delay: "9" });
  });
  it("is the last one, whichever is read first and whatever becomes of the others", async () => {
    const { choice, answer, fail } = server();
    const now = () => draft("mine");
    const [one, two, three] = ["one", "two", "three"].map((id) => choice.choose(id, now));
    answer("three");
    answer("one");
    fail("two");
    expect((await three)?.templateId).toBe("three");
    expect([await one, await two]).toEqual([null, null]);
  });
  it("is not wanted once something else was done; and that it cannot be read is said", async () => {
    const { choice, answer, fail } = server();
    const dropped = choice.choose("one", () => draft("mine"));
    choice.drop();
    answer("one");
    expect(await dropped).toBeNull();
    const failed = choice.choose("two", () => draft("mine"));
    fail("two");
    await expect(failed).rejects.toThrow("two");
  });
});
