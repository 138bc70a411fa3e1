// A page and a server for tests of what reads by itself.
import { afterEach, beforeEach, vi } from "vitest";

const page = Object.assign(new EventTarget(), { hidden: false });
const device = new EventTarget();

/** In a file's tests: a page that is seen until it is hidden, and a clock that is set by hand. */
export function onPage(): { hide(): void; wake(): void } {
  beforeEach(() => {
    vi.useFakeTimers();
    page.hidden = false;
    vi.stubGlobal("document", page);
    vi.stubGlobal("addEventListener", device.addEventListener.bind(device));
    vi.stubGlobal("requestAnimationFrame", (draw: () => void) => setTimeout(draw, 16));
    vi.stubGlobal("cancelAnimationFrame", (frame: number) => clearTimeout(frame));
  });
  afterEach(() => vi.useRealTimers());
  return {
    hide() {
      page.hidden = true;
      page.dispatchEvent(new Event("visibilitychange"));
    },
    wake() {
      page.hidden = false;
      page.dispatchEvent(new Event("visibilitychange"));
    },
  };
}

export interface Asked {
  url: URL;
  answer(body: object): void;
  fail(): void;
  aborted(): boolean;
}

/** What is asked of the server from now on; it answers when it is told to. */
export function serverOf(): Asked[] {
  const asked: Asked[] = [];
  vi.stubGlobal("fetch", (address: string, { signal }: { signal: AbortSignal }) =>
    new Promise<Response>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      asked.push({
        url: new URL(address, "http://here"),
        answer: (body) => resolve(Response.json(body)),
        fail: () => reject(new TypeError("no network")),
        aborted: () => signal.aborted,
      });
    }));
  return asked;
}

/** Whatever follows from what was answered has happened. */
export const settled = () => vi.advanceTimersByTimeAsync(0);
