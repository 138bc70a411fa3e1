import { beforeEach, expect, test, vi } from "vitest";

import { bindKeys, onKeyDown } from "../../src/keys";

let dialogs = 0;
vi.stubGlobal("document", { querySelector: (what: string) => (what === "dialog[open]" && dialogs > 0 ? {} : null) });
vi.stubGlobal("window", { setTimeout });

beforeEach(() => { dialogs = 0; });

function press(key: string, more: { ctrlKey?: boolean; tagName?: string } = {}) {
  const event = {
    key, ctrlKey: more.ctrlKey ?? false, metaKey: false, altKey: false, defaultPrevented: false, preventDefault: vi.fn(),
    target: { tagName: more.tagName ?? "BODY", isContentEditable: false, closest: () => null },
  };
  onKeyDown(event as unknown as KeyboardEvent);
  return event;
}

test.each([["s", {}], ["mod+Enter", { ctrlKey: true }], ["mod+k", { ctrlKey: true }]])("%s acts on the page and never behind a dialog", (keys, more) => {
  const act = vi.fn();
  const unbind = bindKeys([{ keys, label: "Act", group: "Start", act }]);
  const key = keys.replace("mod+", "");
  expect(press(key, more).preventDefault).toHaveBeenCalledOnce();
  expect(act).toHaveBeenCalledOnce();
  dialogs = 1;
  expect(press(key, more).preventDefault).not.toHaveBeenCalled();
  expect(act).toHaveBeenCalledOnce();
  unbind();
});

test("typing in a field is no command, with Ctrl it is", () => {
  const letter = vi.fn();
  const start = vi.fn();
  const unbind = bindKeys([{ keys: "s", label: "Stop", group: "Run", act: letter }, { keys: "mod+Enter", label: "Start", group: "Start", act: start }]);
  press("s", { tagName: "TEXTAREA" });
  press("Enter", { tagName: "TEXTAREA", ctrlKey: true });
  expect(letter).not.toHaveBeenCalled();
  expect(start).toHaveBeenCalledOnce();
  unbind();
});
