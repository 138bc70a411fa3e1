"""A conversation that is longer than what is read of it at first: older messages come when they are asked for."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from orchestration.store.database import Database
from tests.browser.chatting import unique
from tests.browser.chromium import DESK
from tests.browser.conftest import Visit
from tests.browser.site import Site

SAID = 230


@pytest.fixture
def long_chat(site: Site) -> str:
    """A conversation of so many messages, each following the one before."""
    name = unique("long").replace(" ", "-").lower()
    known = json.loads(site.stack.stack_file.read_text())
    database = Database(known["database_url"], name="test")
    database.execute(
        "WITH place AS (INSERT INTO conversations (public_id, title, created_by, created_at, updated_at) "
        "VALUES (%s, 'A long talk', 'admin', clock_now(), clock_now()) RETURNING id) "
        "INSERT INTO messages (public_id, conversation_id, part, role, status, text, created_by, created_at, ended_at) "
        "SELECT %s || '-' || n, place.id, 'message', CASE WHEN n %% 2 = 1 THEN 'user' ELSE 'assistant' END, "
        "'completed', 'message number ' || n, 'admin', clock_now() + n * interval '1 s', clock_now() "
        "FROM place, generate_series(1, %s) n ORDER BY n",
        name,
        name,
        SAID,
    )
    database.execute(
        "UPDATE messages m SET parent_id = p.id FROM messages p WHERE m.public_id LIKE %s AND p.public_id = "
        "%s || '-' || (substring(m.public_id from '[0-9]+$')::integer - 1)",
        f"{name}-%",
        name,
    )
    database.execute(
        "UPDATE conversations c SET leaf_id = (SELECT max(m.id) FROM messages m WHERE m.conversation_id = c.id) "
        "WHERE c.public_id = %s",
        name,
    )
    database.close()
    return name


def test_older_messages_are_read_when_they_are_asked_for_and_nothing_moves(visit: Visit, long_chat: str) -> None:
    page: Page = visit(f"/chat/{long_chat}", **DESK)
    older = page.get_by_role("button", name="Show older messages")
    first = page.get_by_text("message number 131", exact=True)
    expect(page.get_by_text(f"message number {SAID}", exact=True)).to_be_in_viewport()
    expect(first).to_be_attached()
    expect(page.get_by_text("message number 130", exact=True)).to_have_count(0)
    older.scroll_into_view_if_needed()
    top = (first.bounding_box() or {})["y"]
    older.click()
    expect(page.get_by_text("message number 31", exact=True)).to_be_attached()
    page.wait_for_function("() => scrollY > 200")
    assert abs((first.bounding_box() or {})["y"] - top) < 80
    older.scroll_into_view_if_needed()
    older.click()
    expect(page.get_by_text("message number 1", exact=True)).to_be_attached()
    expect(older).to_be_hidden()
    # What is read again and again is the last page; the older ones stay.
    with page.expect_response(lambda response: f"/conversations/{long_chat}" in response.url):
        pass
    expect(page.get_by_text("message number 1", exact=True)).to_be_attached()
