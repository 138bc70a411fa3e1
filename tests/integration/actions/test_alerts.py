"""`alert.webhook` and `alert.email` against real peers on loopback."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.actions import Permanent, Retryable
from orchestration.actions.alerts import TellParams, email, webhook
from orchestration.actions.testing import Recorder, make_context
from orchestration.core.alert_rules import OWN_ACTIONS, OWN_NAMES
from settings import ROOT
from tests.integration.actions.test_http import Server, answer, make_certificate
from tests.support.smtp_peer import SmtpPeer

SECRETS = {"hook": "a-long-secret", "smtp": "password"}
NEWS = {
    "id": 17, "number": 1, "change": "opened", "at": "2026-01-05T10:20:30.123Z", "rule": "breaker_open",
    "subject": "openai", "severity": "critical", "value": 1.0, "threshold": 1.0, "message": "the breaker openai öpened",
    "opened_at": "2026-01-05T10:20:30.123Z",
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def tell(kind: Callable[..., Any], channel: dict[str, Any], news: dict[str, Any] | None = None, **settings: Any) -> Any:
    ctx = make_context(
        Recorder(secrets=dict(SECRETS)),
        settings={"alert_channels": {"ops": channel}, "http_allow": ["127.0.0.1"], **settings},
    )
    return kind(ctx, TellParams.model_validate({"channel": "ops", "alert": NEWS | (news or {})}))


def hook(server: Server, **fields: Any) -> dict[str, Any]:
    return {"type": "webhook", "url": server.url("/T1/secret-path"), "secret": "hook"} | fields


def mail_to(peer: SmtpPeer, **fields: Any) -> dict[str, Any]:
    return {
        "type": "email", "host": "localhost", "port": peer.port, "security": "none", "sender": "perdure@example.org",
        "to": ["ann@example.org"],
    } | fields  # fmt: skip


@pytest.fixture
def make_peer() -> Iterator[Callable[..., SmtpPeer]]:
    peers: list[SmtpPeer] = []

    def make(**fields: Any) -> SmtpPeer:
        peers.append(SmtpPeer(**fields))
        return peers[-1]

    yield make
    for peer in peers:
        peer.close()


def documented_check() -> Callable[..., bool]:
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "alerts.md").read_text("utf-8"), re.M | re.S)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/alerts.md", "exec", dont_inherit=True), names)
    check: Callable[..., bool] = names["is_genuine"]
    return check


def test_a_webhook_is_posted_and_its_signature_holds_by_the_documented_check(server: Server) -> None:
    server.answers["/T1/secret-path"] = answer(204)
    assert tell(webhook, hook(server)) == {"status": 204}
    ((method, _, headers, body),) = server.asked
    assert method == "POST"
    assert (headers["content-type"], headers["idempotency-key"]) == ("application/json", "alert-17-1")
    check, signed = documented_check(), (headers["x-perdure-timestamp"], headers["x-perdure-signature"])
    assert check("a-long-secret", *signed, body)
    assert not check("another", *signed, body)
    assert not check("a-long-secret", *signed, body + b" ")
    assert not check("a-long-secret", str(int(signed[0]) + 1), signed[1], body)
    assert not check("a-long-secret", *signed, body, now=time.time() + 301)


def test_the_body_is_as_documented(server: Server) -> None:
    server.answers["/T1/secret-path"] = answer(200)
    tell(webhook, hook(server))
    sent = json.loads(server.asked[0][3])
    (example,) = re.findall(r"^```json\n(.*?)^```", (ROOT / "docs" / "alerts.md").read_text("utf-8"), re.M | re.S)
    documented = json.loads(example)
    assert sent.keys() == documented.keys()
    assert sent["alert"].keys() == documented["alert"].keys()
    assert sent | {"alert": None} == documented | {"alert": None}


def test_a_webhook_without_a_secret_is_not_signed(server: Server) -> None:
    server.answers["/T1/secret-path"] = answer(200)
    tell(webhook, hook(server, secret=None))
    assert "x-perdure-signature" not in server.asked[0][2]


@pytest.mark.parametrize(
    ("status", "error"), [(503, Retryable), (429, Retryable), (404, Permanent), (302, Permanent)]
)  # fmt: skip
def test_what_a_webhook_refuses_is_tried_again_or_not_and_its_path_is_not_told(
    server: Server, status: int, error: type[Exception]
) -> None:
    server.answers["/T1/secret-path"] = answer(status, Location="/elsewhere", Retry_After="7")
    with pytest.raises(error) as caught:
        tell(webhook, hook(server))
    assert str(caught.value) == f"the webhook ops answered {status}"
    assert getattr(caught.value, "after", 7.0) == 7.0
    assert len(server.asked) == 1


def test_a_webhook_that_is_away_is_tried_again_and_its_path_is_not_told(server: Server) -> None:
    server.close()
    with pytest.raises(Retryable) as caught:
        tell(webhook, hook(server))
    assert "secret-path" not in str(caught.value)
    assert "ops" in str(caught.value)


def test_a_private_address_needs_the_operators_leave(server: Server) -> None:
    with pytest.raises(Permanent, match="PERDURE_HTTP_ALLOW"):
        tell(webhook, hook(server), http_allow=[])
    assert server.asked == []


@pytest.mark.parametrize("channels", [{}, {"ops": {"type": "webhook", "url": "https://x.example.org"}}])
def test_a_channel_that_is_gone_is_told(channels: dict[str, Any], make_peer: Callable[..., SmtpPeer]) -> None:
    with pytest.raises(Permanent, match="no such channel 'ops'"):
        tell(email, mail_to(make_peer()), alert_channels=channels)


def test_mail_is_sent(make_peer: Callable[..., SmtpPeer]) -> None:
    peer = make_peer()
    assert tell(email, mail_to(peer, to=["ann@example.org", "bob@example.org"])) == {"recipients": 2, "refused": []}
    (mail,) = peer.mails
    assert (mail.sender, mail.recipients) == ("perdure@example.org", ["ann@example.org", "bob@example.org"])
    headers = mail.message
    assert headers["Message-ID"] == "<alert-17-1@example.org>"
    text = mail.message.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert "the breaker openai öpened" in text.decode()


@pytest.mark.parametrize("at_once", [False, True])
def test_mail_goes_by_tls_to_a_server_that_is_signed_in_to(
    make_peer: Callable[..., SmtpPeer], tmp_path: Path, at_once: bool
) -> None:
    public, certificate = make_certificate(tmp_path, "localhost")
    peer = make_peer(certificate=certificate, tls_at_once=at_once, users={"perdure": "password"})
    channel = mail_to(peer, security="tls" if at_once else "starttls", username="perdure", secret="smtp")
    tell(email, channel, http_ca_bundle=str(public))
    assert [(mail.user, mail.encrypted) for mail in peer.mails] == [("perdure", True)]
    with pytest.raises(Permanent, match="not trusted"):
        tell(email, channel)
    with pytest.raises(Permanent, match="answered 535"):
        tell(email, channel | {"secret": "hook"}, http_ca_bundle=str(public))
    assert len(peer.mails) == 1


def test_no_mail_goes_out_in_the_clear_where_tls_is_asked_for(make_peer: Callable[..., SmtpPeer]) -> None:
    peer = make_peer()
    with pytest.raises(Permanent, match="cannot do what the channel asks for"):
        tell(email, mail_to(peer, security="starttls"))
    assert peer.mails == []


def test_recipients_that_are_refused(make_peer: Callable[..., SmtpPeer]) -> None:
    peer = make_peer()
    found = tell(email, mail_to(peer, to=["nobody@example.org", "ann@example.org"]))
    assert found == {"recipients": 1, "refused": ["nobody@example.org"]}
    with pytest.raises(Permanent, match="none of the recipients"):
        tell(email, mail_to(peer, to=["nobody@example.org"]))
    peer.answers["RCPT"] = "451 later"
    with pytest.raises(Retryable):
        tell(email, mail_to(peer))


def test_a_mail_server_that_is_busy_or_away_is_asked_again(make_peer: Callable[..., SmtpPeer]) -> None:
    peer = make_peer(answers={"DATA": "452 full"})
    with pytest.raises(Retryable, match="answered 452"):
        tell(email, mail_to(peer))
    peer.close()
    with pytest.raises(Retryable, match="cannot be reached"):
        tell(email, mail_to(peer))


def test_a_message_cannot_bring_a_header_of_its_own(make_peer: Callable[..., SmtpPeer]) -> None:
    peer = make_peer()
    tell(email, mail_to(peer), {"message": "broken\r\nBcc: eve@example.org\n.\nMAIL FROM:<x>"})
    (mail,) = peer.mails
    assert mail.message["Bcc"] is None
    assert mail.recipients == ["ann@example.org"]


def test_the_end_of_an_alert_is_in_its_thread(make_peer: Callable[..., SmtpPeer]) -> None:
    peer = make_peer()
    tell(email, mail_to(peer), {"number": 2, "change": "resolved", "actor": "ann", "note": "known"})
    message = peer.mails[0].message
    assert message["References"] == "<alert-17-1@example.org>"
    assert "by ann: known" in str(message.get_payload(decode=True))


def test_what_is_left_out_of_the_rules_is_what_deliveries_are_called() -> None:
    from orchestration.actions.registry import load_actions

    declared = load_actions()["alert.webhook"]
    assert declared.name.startswith(OWN_ACTIONS)
    assert declared.flow is not None
    flow = declared.flow(TellParams.model_validate({"channel": "ops", "alert": NEWS}), None)
    assert flow is not None
    assert flow.breaker is not None
    assert flow.breaker.name.startswith(OWN_NAMES)
