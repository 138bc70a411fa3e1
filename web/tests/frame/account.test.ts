import { expect, test } from "vitest";

import { actionInWords, runOf } from "../../src/account/audit-words";
import { device } from "../../src/account/device";
import { includes } from "../../src/account/rights";

test("a browser is called by its name and its device's", () => {
  expect(device("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")).toBe("Firefox on Linux");
  expect(device("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0")).toBe("Edge on Windows");
  expect(device("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1")).toBe("Safari on iPhone");
  expect(device("Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36")).toBe("Chrome on Android");
  expect(device("curl/8.5.0")).toBe("curl");
  expect(device("python-requests/2.32")).toBe("python-requests/2.32");
  expect(device(null)).toBe("Unknown browser");
});

test("a record of a control leads to its run", () => {
  expect(runOf({ action: "workflow.stop", target: "w-1" })).toBe("w-1");
  expect(runOf({ action: "token.create", target: "ci" })).toBeNull();
  expect(runOf({ action: "workflow.start", target: "" })).toBeNull();
});

test("actions are written in words", () => {
  expect(actionInWords("auth.sign_in")).toBe("sign in");
  expect(actionInWords("workflow.start_many")).toBe("workflow start many");
});

test("a role includes those before it", () => {
  expect(includes("operator", "viewer")).toBe(true);
  expect(includes("operator", "admin")).toBe(false);
});
