"""How smooth the page of a run is while it is told much, on a device of a quarter of this one's speed.

`python -m bench.page`: in a real browser against the whole stack, 20 progress reports a second. Long tasks are measured
by the clock, so that whatever else this machine does is in them: run it on an idle one.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect

from tests.browser.chromium import MISSING, chromium
from tests.browser.site import ENVIRONMENT, TOKEN, Site, running_site, step

# Each of these steps tells four times a second how far it is.
STEPS = 5
LONG_MS = 50

WATCH = """(watchedMs) => new Promise((resolve) => {
  const long = [];
  let changes = 0;
  const tasks = new PerformanceObserver((list) => long.push(...list.getEntries().map((entry) => entry.duration)));
  tasks.observe({ type: "longtask" });
  const drawn = new MutationObserver(() => { changes += 1; });
  drawn.observe(document.querySelector(".steps"), { subtree: true, childList: true, characterData: true });
  setTimeout(() => { tasks.disconnect(); drawn.disconnect(); resolve({ long, changes }); }, watchedMs);
})"""


def measure(browser: Browser, site: Site, seconds: float, slower: float) -> dict[str, Any]:
    """Watch the page of a busy run; `long`: the milliseconds of its long tasks, `changes`: how often it was redrawn."""
    busy = [step(f"s{n}", "demo.sleep", seconds=3600) | {"needs": []} for n in range(STEPS)]
    run_id = site.start(busy, "Told much")
    context = browser.new_context(base_url=site.url)
    context.request.post("/auth/exchange", data={"token": TOKEN}, headers={"Origin": site.url})
    page = context.new_page()
    page.goto(f"/runs/{run_id}")
    expect(page.locator(".connection")).to_have_text("Live")
    expect(page.locator(".step-row-in_progress")).to_have_count(STEPS)
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    seen: dict[str, Any] = page.evaluate(WATCH, seconds * 1000)
    context.close()
    site.call("POST", "/workflow/stop", {"workflow_id": run_id})
    return seen


def main() -> None:
    """Measure, and say it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--slower", type=float, default=4, help="how much slower the device is")
    asked = parser.parse_args()
    expect.set_options(timeout=20_000)
    os.environ.update(ENVIRONMENT)
    load = os.getloadavg()[0]
    with chromium() as browser, tempfile.TemporaryDirectory() as directory:
        if browser is None:
            raise SystemExit(MISSING)
        Path(directory).chmod(0o711)  # the servers run as another user where this one is root
        with running_site(Path(directory) / "stack") as site:
            seen = measure(browser, site, asked.seconds, asked.slower)
    long = sorted(ms for ms in seen["long"] if ms > LONG_MS)
    print(f"{asked.seconds:g} s at a {1 / asked.slower:g} of the speed, load of this machine before: {load:.1f}")
    print(f"redrawn {seen['changes'] / asked.seconds:.1f} times a second")
    print(f"tasks over {LONG_MS} ms: {len(long)}" + (f", longest {long[-1]:.0f} ms" if long else ""))


if __name__ == "__main__":
    main()
