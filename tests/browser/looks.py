"""What can be wrong with how a page looks: found by axe, by measuring, and by pressing where a finger would."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page

from tests.browser.chromium import DESK, PHONE
from tests.browser.conftest import ROOT, cannot

AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
NARROWEST = 360
FINGER = 44

CUT_OFF = """() => [...document.querySelectorAll("button, input, select, a.button")].filter((one) => {
    const box = one.getBoundingClientRect();
    // Chips and tabs are in a row that scrolls by itself.
    const mayScroll = one.closest(".status-chips, .run-views, nav, .frame-skip");
    return one.checkVisibility() && !mayScroll && box.left < innerWidth && box.right > innerWidth + 1;
}).map((one) => one.outerHTML.slice(0, 120))"""

# How far up and down from its middle a press is answered; a label answers for its field.
TOO_SMALL = """(finger) => {
    const inside = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document;
    // Links in running text are as high as their line and so are the lines of a log; a graph is zoomed.
    const excepted = "a.link, .log-number, .frame-skip, .graph-node, [tabindex='-1']";
    const found = [];
    const all = "button, a[href], input, select, textarea, summary, [role=menuitem], [role=option]";
    for (const one of inside.querySelectorAll(all)) {
        if (!one.checkVisibility({ visibilityProperty: true }) || one.matches(excepted)) continue;
        one.scrollIntoView({ block: "center", inline: "center" });
        const target = one.closest("label") ?? one;
        const box = target.getBoundingClientRect();
        const x = (Math.max(box.left, 0) + Math.min(box.right, innerWidth)) / 2;
        const middle = (box.top + box.bottom) / 2;
        const answers = (y) => {
            const hit = document.elementFromPoint(x, y);
            return hit !== null && (target.contains(hit) || hit.closest("label")?.control === one);
        };
        // What something else lies over cannot be measured here, be it in part: an open menu, a bar that stays.
        const above = "[role=menu], [role=dialog], nav, header, .thread-foot";
        const covered = (y) => {
            const over = document.elementFromPoint(x, y)?.closest(above) ?? null;
            return over !== null && over !== one.closest(above);
        };
        if (!answers(middle)) continue;
        let reach = 1, isCovered = false;
        for (const way of [-1, 1]) {
            let y = way;
            for (; Math.abs(y) < finger && answers(middle + y); y += way) reach += 1;
            isCovered ||= covered(middle + y);
        }
        if (reach < finger - 1 && !isCovered) found.push(`reaches ${reach}: ${target.outerHTML.slice(0, 140)}`);
    }
    return found;
}"""


def nothing(found: list[str]) -> None:
    """Nothing may have been found."""
    assert not found, "\n".join(found)


def audit(page: Page, within: Locator | None = None) -> list[str]:
    """What axe finds, in the page or in a part of it, and of contrast what it finds in the dark as well."""
    if not AXE.exists():
        cannot("axe-core is not installed: run `make web`.")
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    part = within or page.locator("html")
    found = part.evaluate("(part) => axe.run(part, { resultTypes: ['violations'] })")["violations"]
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    found += part.evaluate("(part) => axe.run(part, { runOnly: ['color-contrast'] })")["violations"]
    page.emulate_media(**DESK)
    return [_summary(one) for one in found]


def too_wide(page: Page) -> list[str]:
    """What does not fit on a phone, however narrow."""
    found = []
    for width in (PHONE["viewport"]["width"], NARROWEST):
        page.set_viewport_size({"width": width, "height": PHONE["viewport"]["height"]})
        has = page.evaluate("document.documentElement.scrollWidth")
        found += [f"at {width} the page is {has} wide"] if has > width else []
        found += [f"at {width} cut off: {one}" for one in page.evaluate(CUT_OFF)]
    page.set_viewport_size(PHONE["viewport"])
    return found


def too_small(page: Page) -> list[str]:
    """What a finger misses."""
    found: list[str] = page.evaluate(TOO_SMALL, FINGER)
    return found


def _summary(violation: dict[str, Any]) -> str:
    places = [" ".join(map(str, node["target"])) for node in violation["nodes"][:4]]
    why = violation["nodes"][0]["failureSummary"].replace("\n", " ")
    return f"{violation['id']} at {places}: {why}"
