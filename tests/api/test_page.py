"""The page people work with: how it is served, how one gets to it, what it may connect to."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.built_page import BuiltPage
from api.security import own_path
from api.services import Services, build_services
from orchestration.store.accounts import add_sign_in_code
from schemas.statuses import Role
from settings import Settings

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ADDRESSES = ("/", "/runs", "/runs/a", "/runs/a/steps/b/log", "/start", "/workers", "/account")
SCRIPT = "console.log('page');\n" * 100


@pytest.fixture
def built(tmp_path: Path) -> BuiltPage:
    """A page as the build leaves it."""
    page = BuiltPage(tmp_path / "app")
    page.assets.mkdir(parents=True)
    (page.folder / "index.html").write_text("<!doctype html><title>Perdure</title>")
    (page.assets / "index-1a2b3c.js").write_text(SCRIPT)
    (page.assets / "index-1a2b3c.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    (page.assets / "small-9z8y7x.css").write_text("a{}")
    return page


@pytest.fixture
def app(services: Services, built: BuiltPage) -> Flask:
    return create_app(services, built)


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_address_of_the_page_answers_the_same_document(viewer: FlaskClient, address: str) -> None:
    answer = viewer.get(address)
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert "<title>Perdure</title>" in answer.text
    assert answer.headers["Cache-Control"] == "no-cache"


def test_a_page_built_meanwhile_is_the_one_that_is_served(viewer: FlaskClient, built: BuiltPage) -> None:
    viewer.get("/")
    (built.folder / "index.html").write_text("<!doctype html>newer")
    assert "newer" in viewer.get("/").text


def test_files_of_the_page_are_kept_for_ever_and_sent_compressed(anonymous: FlaskClient) -> None:
    where = "/static/app/assets/index-1a2b3c.js"
    packed = anonymous.get(where, headers={"Accept-Encoding": "gzip, deflate, br"})
    plain = anonymous.get(where)
    for answer in (packed, plain):
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Type"].partition(";")[0] in ("text/javascript", "application/javascript")
        assert "Accept-Encoding" in answer.headers["Vary"]
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data == SCRIPT.encode()
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["ETag"] != plain.headers["ETag"]


def test_a_file_that_was_too_small_to_be_compressed_is_sent_as_it_is(anonymous: FlaskClient) -> None:
    answer = anonymous.get("/static/app/assets/small-9z8y7x.css", headers={"Accept-Encoding": "gzip"})
    assert (answer.data, answer.headers["Content-Type"]) == (b"a{}", "text/css; charset=utf-8")
    assert "Content-Encoding" not in answer.headers


def test_compression_can_be_declined(anonymous: FlaskClient) -> None:
    answer = anonymous.get("/static/app/assets/index-1a2b3c.js", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize(
    "name", ["none.js", "..%2f..%2f..%2fapp.py", "%2e%2e/%2e%2e/%2e%2e/app.py", "..%5cindex.html", "..", "x" * 300]
)
def test_files_that_are_not_there_are_404_and_not_kept(anonymous: FlaskClient, name: str) -> None:
    answer = anonymous.get(f"/static/app/assets/{name}", headers=BROWSER | {"Accept-Encoding": "gzip"})
    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] in ("no-store", "no-cache")


def test_an_address_that_there_is_not_is_said_by_the_page_to_browsers_only(anonymous: FlaskClient) -> None:
    answer = anonymous.get("/nowhere", headers=BROWSER)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    for asked in (anonymous.get("/nowhere"), anonymous.post("/nowhere", headers=BROWSER)):
        assert (asked.status_code, asked.mimetype) == (404, "application/problem+json")
    assert anonymous.get("/static/nowhere.js", headers=BROWSER).mimetype == "application/problem+json"


@pytest.mark.parametrize("address", ADDRESSES)
def test_without_a_built_page_the_api_is_shown(services: Services, tmp_path: Path, token_of, address: str) -> None:
    client = create_app(services, BuiltPage(tmp_path / "none")).test_client()
    answer = client.get(address, headers={"Authorization": f"Bearer {token_of(Role.VIEWER)}", **BROWSER})
    assert answer.status_code == 200
    assert "make web" in answer.text
    assert "/workflow/start" in answer.text
    assert client.get("/nowhere", headers=BROWSER).mimetype == "application/problem+json"


def test_the_api_has_a_page_of_its_own_with_a_way_back(viewer: FlaskClient) -> None:
    page = viewer.get("/api").text
    assert "/workflow/start" in page
    assert "make web" not in page
    assert 'href="/"' in page
    assert 'href="/api"' in viewer.get("/reference").text


# Signing in


def led_to(answer) -> str:
    """Where the sign-in page goes on after this answer, as its script reads it."""
    assert answer.status_code == 200
    found = re.search(r'data-next="([^"]*)"', answer.text)
    assert found
    return unescape(found[1])


@pytest.mark.parametrize(
    "address", ["/runs", "/runs/a%20b/timeline?from=1&q=%2Fx%26y", "/api", "/start?template=nightly", "/runs/%25/x"]
)
def test_a_visitor_signs_in_and_comes_back_to_where_they_wanted_to_go(
    app: Flask, services: Services, token_of: Callable[[Role], str], address: str
) -> None:
    browser = app.test_client()
    sent_away = browser.get(address, headers=BROWSER)
    assert sent_away.status_code == 303
    assert urlsplit(sent_away.location).path == "/sign-in"
    # The fragment, which may hold the line of a log, is kept by the browser and not sent.
    assert led_to(browser.get(sent_away.location, headers=BROWSER)) == address
    code = add_sign_in_code(services.database, token_of(Role.VIEWER))
    assert browser.post("/auth/exchange", json={"code": code}).status_code == 200
    assert browser.get(address, headers=BROWSER).status_code in (200, 404)


def test_a_visitor_of_the_front_is_led_without_an_address(app: Flask) -> None:
    answer = app.test_client().get("/", headers=BROWSER)
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert led_to(app.test_client().get("/sign-in")) == "/"


def test_programs_are_not_led_anywhere(anonymous: FlaskClient) -> None:
    answer = anonymous.get("/runs", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")


FOREIGN = [
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/runs\\..\\..",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "http:evil.example",
    "",
    "/" + "a" * 5000,
]


@pytest.mark.parametrize("wanted", FOREIGN)
def test_nobody_is_led_to_another_server(anonymous: FlaskClient, wanted: str) -> None:
    assert own_path(wanted) == "/"
    assert led_to(anonymous.get(f"/sign-in?next={quote(wanted, safe='')}")) == "/"


def test_where_to_go_on_cannot_break_out_of_its_attribute(anonymous: FlaskClient) -> None:
    page = anonymous.get("/sign-in?next=" + quote('/"><script>alert(1)</script>')).text
    assert "<script>" not in page


def test_a_first_asked_for_address_of_another_server_stays_a_path_here(app: Flask) -> None:
    answer = app.test_client().get("//evil.example/runs", headers=BROWSER)
    assert "evil.example" not in urlsplit(answer.location or "").netloc
    for value in parse_qs(urlsplit(answer.location or "").query).get("next", []):
        assert own_path(value) in (value, "/")


# What the page may load and connect to


def connects_to(policy: str) -> list[str]:
    found = re.search(r"connect-src ([^;]*)", policy)
    assert found
    return found[1].split()


def policy_of(settings: Settings, host: str) -> str:
    answer = create_app(build_services(settings)).test_client().get("/sign-in", headers={"Host": host})
    return answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("host", "change"),
    [
        ("127.0.0.1:8400", {}),
        ("localhost:8400", {}),
        ("box.lan:8400", {"host": "box.lan"}),
        ("10.0.0.7:8400", {"host": "0.0.0.0", "allowed_origins": ("http://10.0.0.7:8400",)}),
        ("ops.example", {"allowed_origins": ("https://ops.example",)}),
    ],
)
def test_the_page_may_reach_the_relay_by_the_name_it_was_opened_under(
    settings: Settings, host: str, change: dict[str, object]
) -> None:
    allowed = connects_to(policy_of(settings.model_copy(update=change), host))
    name = host.partition(":")[0]
    assert {f"{scheme}://{name}:8401" for scheme in ("http", "https", "ws", "wss")} <= set(allowed)
    assert "'self'" in allowed
    assert not [source for source in allowed if "*" in source]


def test_the_policy_follows_the_settings_and_not_the_host_header(settings: Settings) -> None:
    assert "evil.example" not in policy_of(settings, "evil.example")


def test_a_page_opened_at_an_ipv6_address_may_reach_the_relays_port(settings: Settings) -> None:
    """Policies cannot name such an address."""
    allowed = connects_to(policy_of(settings, "[::1]:8400"))
    assert set(allowed) == {"'self'", "http://*:8401", "https://*:8401", "ws://*:8401", "wss://*:8401"}


@pytest.mark.parametrize(
    ("host", "relay"),
    [("127.0.0.1:8400", "http://127.0.0.1:8401"), ("[::1]:8400", "http://[::1]:8401"), ("box:1", "http://box:8401")],
)
def test_the_page_is_told_the_relay_under_the_same_name(viewer: FlaskClient, host: str, relay: str) -> None:
    answer = viewer.get("/config/workflow", headers={"Host": host}).json
    assert answer is not None
    assert answer["relay"]["url"] == relay


@pytest.mark.parametrize("address", [*ADDRESSES, "/api", "/sign-in", "/nowhere"])
def test_the_policy_of_pages_allows_our_own_files_only(viewer: FlaskClient, address: str) -> None:
    policy = viewer.get(address, headers=BROWSER).headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert not re.search(r"(?:script|style|font|frame|object)-src (?!'none'|'self')", policy)


# The page that `make web` built

REAL = BuiltPage()


@pytest.mark.skipif(REAL.index() is None, reason="the page was not built; make web")
def test_the_built_page_names_files_that_are_there_and_holds_nothing_inline() -> None:
    index = (REAL.index() or b"").decode()
    named = re.findall(r'(?:src|href)="/static/app/assets/([^"]+)"', index)
    assert any(name.endswith(".js") for name in named)
    for name in named:
        assert re.fullmatch(r"[\w.-]+-[\w-]{8}\.(?:js|css)", name)
        plain, packed = REAL.assets / name, REAL.assets / f"{name}.gz"
        if packed.exists():
            assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
        else:
            assert plain.stat().st_size < 512
    assert not re.search(r"<script(?![^>]*\bsrc=)", index)
    assert not re.search(r"<style|\bstyle=|\bon[a-z]+=|https?://", index)
