import { beforeAll, beforeEach, expect, test, vi } from "vitest";

import type * as Client from "../../src/api/client";
import type { Me } from "../../src/api/types";
import type * as Session from "../../src/session";

let client: typeof Client;
let session: typeof Session;
let signedIn = false;
const page = new EventTarget();
const asked = vi.fn((path: string) =>
  signedIn ? Response.json(path === "/auth/me" ? { name: "Ada", role: "operator" } : { poll_interval: 2 }) : Response.json({}, { status: 401 }),
);

beforeAll(async () => {
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
  vi.stubGlobal("document", Object.assign(new EventTarget(), { hidden: false }));
  vi.stubGlobal("fetch", async (path: string) => asked(path));
  client = await import("../../src/api/client");
  session = await import("../../src/session");
});

beforeEach(() => {
  asked.mockClear();
  session.me.value = null;
  client.sessionEnded.value = false;
});

test("who has signed in elsewhere goes on when coming back, and only then is anything asked", async () => {
  const stop = session.readSessionOnWake();
  page.dispatchEvent(new Event("focus"));
  expect(asked).not.toHaveBeenCalled();

  client.sessionEnded.value = true;
  page.dispatchEvent(new Event("focus"));
  expect(asked).toHaveBeenCalledWith("/auth/me");
  await new Promise((resolve) => setTimeout(resolve));
  expect(client.sessionEnded.value).toBe(true);

  signedIn = true;
  page.dispatchEvent(new Event("focus"));
  await vi.waitFor(() => expect(client.sessionEnded.value).toBe(false));
  expect(session.me.value?.name).toBe("Ada");
  stop();
});

test("a role that is not known is not called viewer", () => {
  expect(session.whyNotOperator.value).toBe("It is not known yet who you are.");
  session.me.value = { name: "Eve", role: "viewer" } as Me;
  expect(session.whyNotOperator.value).toBe("Your role, viewer, may only look.");
  session.me.value = { name: "Ada", role: "operator" } as Me;
  expect(session.whyNotOperator.value).toBe(null);
});
