"""An alert as mail, and its way to the SMTP server."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

from orchestration.actions.alerts import TIMEOUT_S, AlertNews, delivery_id
from orchestration.actions.context import ActionContext
from orchestration.actions.network import counted
from orchestration.actions.outcomes import Permanent, Retryable
from schemas.alerts import EmailChannel

MAX_SUBJECT = 150


def send(ctx: ActionContext, channel: EmailChannel, alert: AlertNews) -> dict[str, Any]:
    """Hand the mail to the server; `refused` names those of several recipients that it does not take.

    Raises: Retryable, Permanent, ActionCancelled.
    """
    message = mail(channel, alert)
    try:
        with _connected(ctx, channel) as server:
            refused = server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _failed(f"{channel.host} takes none of the recipients", min(codes, default=550)) from error
    except smtplib.SMTPResponseException as error:
        raise _failed(f"{channel.host} answered {error.smtp_code}", error.smtp_code) from error
    except smtplib.SMTPNotSupportedError as error:
        raise Permanent(f"{channel.host} cannot do what the channel asks for: {error}", code="smtp.support") from error
    except ssl.SSLCertVerificationError as error:
        raise Permanent(f"{channel.host}: its certificate is not trusted", code="smtp.certificate") from error
    except (smtplib.SMTPException, OSError) as error:
        ctx.raise_if_cancelled()
        raise Retryable(f"{channel.host} cannot be reached: {type(error).__name__}", code="smtp.away") from error
    return {"recipients": len(channel.to) - len(refused), "refused": sorted(refused)}


def mail(channel: EmailChannel, alert: AlertNews) -> EmailMessage:
    """The mail. All attempts at one change have one Message-ID, and all changes of one alert one thread."""
    message = EmailMessage()
    subject = f"[perdure] {alert.severity}: {alert.message}"
    if alert.change == "resolved":
        subject = f"[perdure] over: {alert.message}"
    # A line end would begin another header.
    message["Subject"] = " ".join(subject.split())[:MAX_SUBJECT]
    message["From"] = channel.sender
    message["To"] = ", ".join(channel.to)
    domain = channel.sender.rpartition("@")[2]
    message["Message-ID"] = f"<{delivery_id(alert)}@{domain}>"
    if alert.number > 1:
        message["References"] = f"<alert-{alert.id}-1@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    lines = [
        alert.message,
        "",
        f"alert {alert.id}, {alert.change} at {alert.at}",
        f"rule {alert.rule}, of {alert.subject}: {alert.value:g}, threshold {alert.threshold:g}",
        f"open since {alert.opened_at}",
    ]
    if alert.actor:
        lines.append(f"by {alert.actor}" + (f": {alert.note}" if alert.note else ""))
    message.set_content("\n".join(lines) + "\n")
    return message


@contextlib.contextmanager
def _connected(ctx: ActionContext, channel: EmailChannel) -> Iterator[smtplib.SMTP]:
    """A server that knows who we are. A stop cuts the line."""
    # For tests, as for `http.request`.
    trust = ssl.create_default_context(cafile=ctx.settings.get("http_ca_bundle"))
    name = socket.gethostname()
    if channel.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(channel.host, channel.port, name, timeout=TIMEOUT_S, context=trust)
    else:
        server = smtplib.SMTP(channel.host, channel.port, name, timeout=TIMEOUT_S)

    def cut() -> None:
        if server.sock is not None:
            with contextlib.suppress(OSError):
                server.sock.shutdown(socket.SHUT_RDWR)

    ctx.on_cancel(cut)
    with counted(ctx, server.sock) if server.sock is not None else contextlib.nullcontext(), server:
        if channel.security == "starttls":
            server.starttls(context=trust)
        if channel.username and channel.secret:
            server.login(channel.username, ctx.secret(channel.secret, host=channel.host))
        yield server


def _failed(reason: str, code: int) -> Exception:
    kind = Permanent if code >= 500 else Retryable
    return kind(reason, code=f"smtp.{code}")
