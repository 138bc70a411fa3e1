"""The log of a step: followed while it grows, searched, linked to and taken away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.site import Site, step

LINES = 400


@pytest.fixture(scope="module")
def written(site: Site) -> Iterator[str]:
    """A run whose step writes on and on."""
    run_id = site.start([step("w", "t.write", label="Write", lines=LINES)], "Writes")
    site.wait(run_id, "in_progress", step="w")
    yield run_id
    site.stop(run_id)


def line(page: Page, number: int) -> str:
    return f'.log-line:has([data-number="{number}"])'


def test_the_log_is_followed_and_lets_go_when_scrolled_up(visit: Visit, written: str) -> None:
    page = visit(f"/runs/{written}/steps/w")
    lines, fresh = page.locator(".log-list"), page.locator(".log-fresh")
    # It begins at its end and stays there.
    last = page.locator(".log-line").last
    expect(last).to_contain_text(re.compile(r"^more \d+$"))
    before = last.inner_text().strip()
    expect(last).not_to_have_text(before)
    expect(last).to_be_in_viewport()
    expect(fresh).to_be_hidden()
    lines.hover()
    page.mouse.wheel(0, -1500)
    expect(fresh).to_have_text(re.compile(r"^[\d,]+ new lines ↓$"))
    top = lines.evaluate("(list) => list.scrollTop")
    said = fresh.inner_text()
    expect(fresh).not_to_have_text(said)
    assert lines.evaluate("(list) => list.scrollTop") == top, "what is read must not move"
    fresh.click()
    expect(fresh).to_be_hidden()
    page.wait_for_function(
        "() => { const list = document.querySelector('.log-list');"
        " return list.scrollTop + list.clientHeight >= list.scrollHeight - 4; }"
    )


def test_text_is_found_in_the_log_and_a_line_has_an_address(visit: Visit, written: str) -> None:
    page = visit(f"/runs/{written}/steps/w?line=200")
    expect(page.locator(line(page, 200))).to_be_in_viewport()
    expect(page.locator(line(page, 200))).to_have_class(re.compile("log-marked"))
    expect(page.locator(line(page, 200)).locator("[class*=ansi]")).to_have_text("line")
    page.keyboard.press("/")
    page.keyboard.type("needle")
    find = page.get_by_role("search").filter(has=page.get_by_label("Find in log"))
    # It begins where one is, and goes round.
    expect(find.get_by_role("status")).to_have_text("2 of 2")
    expect(page.locator(line(page, 300))).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(find.get_by_role("status")).to_have_text("1 of 2")
    expect(page.locator(line(page, 7)).locator("mark")).to_be_in_viewport()
    page.locator(line(page, 7)).get_by_role("link", name="Line 7", exact=True).click()
    expect(page).to_have_url(re.compile(r"[?&]line=7(&|$)"))
    page.reload()
    expect(page.locator(line(page, 7))).to_be_in_viewport()
    expect(page.locator(line(page, 7))).to_have_class(re.compile("log-marked"))


def test_the_whole_log_is_downloaded(visit: Visit, written: str, tmp_path: Path) -> None:
    page = visit(f"/runs/{written}/steps/w")
    expect(page.locator(".log-list")).to_be_visible()
    with page.expect_download() as waited:
        page.get_by_role("link", name="Download").click()
    download = waited.value
    assert download.suggested_filename.endswith((".log", ".txt"))
    download.save_as(tmp_path / "log")
    text = (tmp_path / "log").read_text()
    assert re.sub(r"\x1b\[\d*m", "", text).splitlines()[:LINES] == [
        f"line {n}{' needle' if n in (7, 300) else ''}" for n in range(1, LINES + 1)
    ]
