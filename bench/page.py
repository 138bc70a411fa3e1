"""How smooth the page of a run is while it is told much, on a device of a quarter of this one's speed.

`python -m bench.page`: in a real browser against the whole stack, 20 progress reports a second; first with the page
left alone, then with a run of 1,000 steps that is scrolled all the while. Tasks are measured by the clock, so that
whatever else this machine does is in them (run it on an idle one), and by the processor time of the page's thread,
which other work on this machine changes less.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, expect

from tests.browser.chromium import MISSING, chromium
from tests.browser.site import ENVIRONMENT, TOKEN, Site, Step, running_site, step

# Each of these steps tells four times a second how far it is.
BUSY = 5
LONG_RUN = 1000
LONG_MS = 50
SCROLLED_PX_A_SECOND = 2000

WATCH = """(watchedMs) => new Promise((resolve) => {
  const long = [];
  let changes = 0;
  const tasks = new PerformanceObserver((list) => long.push(...list.getEntries().map((entry) => entry.duration)));
  tasks.observe({ type: "longtask" });
  const drawn = new MutationObserver(() => { changes += 1; });
  drawn.observe(document.querySelector(".steps"), { subtree: true, childList: true, characterData: true });
  setTimeout(() => { tasks.disconnect(); drawn.disconnect(); resolve({ long, changes }); }, watchedMs);
})"""

# Down and up again, as fast whatever the rate of frames.
SCROLL = """(pxASecond) => {
  let [before, down] = [performance.now(), true];
  const move = (now) => {
    scrollBy(0, (down ? 1 : -1) * pxASecond * Math.min(now - before, 100) / 1000);
    before = now;
    if (scrollY <= 0) down = true;
    if (scrollY >= document.documentElement.scrollHeight - innerHeight - 1) down = false;
    requestAnimationFrame(move);
  };
  requestAnimationFrame(move);
}"""


class Seen(NamedTuple):
    """Milliseconds of long tasks by the clock and of all tasks by processor time; how often it was redrawn a second."""

    by_clock: list[float]
    by_processor: list[float]
    redrawn: float


def watch(browser: Browser, site: Site, steps: list[Step], seconds: float, slower: float, *, scrolled: bool) -> Seen:
    """Watch the page of a run of these steps, of which `BUSY` are under way."""
    run_id = site.start(steps, "Told much")
    context = browser.new_context(base_url=site.url)
    context.request.post("/auth/exchange", data={"token": TOKEN}, headers={"Origin": site.url})
    page = context.new_page()
    page.goto(f"/runs/{run_id}")
    expect(page.locator(".connection")).to_have_text("Live")
    expect(page.locator(".step-row-in_progress")).to_have_count(BUSY)
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    if scrolled:
        page.evaluate(SCROLL, SCROLLED_PX_A_SECOND)
    browser.start_tracing(page=page, categories=["-*", "toplevel"])
    found: dict[str, Any] = page.evaluate(WATCH, seconds * 1000)
    trace = json.loads(browser.stop_tracing())
    context.close()
    site.call("POST", "/workflow/stop", {"workflow_id": run_id})
    return Seen(found["long"], processor_times(trace["traceEvents"]), found["changes"] / seconds)


def processor_times(events: list[dict[str, Any]]) -> list[float]:
    """Milliseconds of processor time of each task of the busiest page; throttling makes the processor spin in them."""
    main = {(e["pid"], e["tid"]) for e in events if e["ph"] == "M" and e["args"].get("name") == "CrRendererMain"}
    tasks: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    for event in events:
        thread = (event["pid"], event["tid"])
        if event["ph"] == "X" and event["name"] == "ThreadControllerImpl::RunTask" and thread in main:
            tasks[thread].append(event.get("tdur", 0) / 1000)
    return max(tasks.values(), key=sum)


def say(title: str, seen: Seen) -> None:
    """One case, in lines."""
    print(f"{title}, redrawn {seen.redrawn:.1f} times a second")
    for name, tasks in (("by the clock", seen.by_clock), ("by processor time", seen.by_processor)):
        long = sorted(ms for ms in tasks if ms > LONG_MS)
        longest = f", longest {max(tasks):.0f} ms" if tasks else ""
        print(f"  tasks over {LONG_MS} ms {name}: {len(long)}{longest}")


def main() -> None:
    """Measure, and say it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="of each of the two cases")
    parser.add_argument("--slower", type=float, default=4, help="how much slower the device is")
    asked = parser.parse_args()
    expect.set_options(timeout=20_000)
    os.environ.update(ENVIRONMENT)
    load = os.getloadavg()[0]
    # They last until both are watched, and their bars move all the while.
    lasting = 2 * asked.seconds + 30
    busy = [step(f"s{n}", "demo.sleep", seconds=lasting) | {"needs": []} for n in range(BUSY)]
    rest = [step(f"r{n}") | {"needs": ["s0"]} for n in range(LONG_RUN - BUSY)]
    with chromium() as browser, tempfile.TemporaryDirectory() as directory:
        if browser is None:
            raise SystemExit(MISSING)
        Path(directory).chmod(0o711)  # the servers run as another user where this one is root
        with running_site(Path(directory) / "stack") as site:
            alone = watch(browser, site, busy, asked.seconds, asked.slower, scrolled=False)
            scrolled = watch(browser, site, busy + rest, asked.seconds, asked.slower, scrolled=True)
    print(f"{asked.seconds:g} s each at {1 / asked.slower:g} of the speed, load of this machine before: {load:.1f}")
    say(f"{BUSY} steps that tell {4 * BUSY} times a second", alone)
    say(f"the same in a run of {LONG_RUN:,} steps, scrolled", scrolled)


if __name__ == "__main__":
    main()
