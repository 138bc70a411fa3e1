"""A small SMTP server that speaks the protocol on a socket: STARTTLS or TLS, sign-in, and answers as a test says."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message


@dataclass
class Mail:
    """What a client handed over. `user` is who it signed in as; `encrypted`: the mail came under TLS."""

    sender: str
    recipients: list[str]
    message: Message
    user: str | None
    encrypted: bool


@dataclass
class SmtpPeer:
    """Listens on loopback until closed. `answers` replaces the answer to a command, such as `{"RCPT": "550 no"}`."""

    certificate: ssl.SSLContext | None = None
    tls_at_once: bool = False
    users: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)

    def __post_init__(self) -> None:
        peer = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                peer.talk(self)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: object) -> None:
                return

        self.server = Server(("127.0.0.1", 0), Session)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def talk(self, session: socketserver.StreamRequestHandler) -> None:
        """One conversation. Source: RFC 5321, RFC 3207, RFC 4954."""
        line_in, out = session.rfile, session.wfile
        secure = False
        if self.tls_at_once and self.certificate is not None:
            wrapped = self.certificate.wrap_socket(session.request, server_side=True)
            line_in, out, secure = wrapped.makefile("rb"), wrapped.makefile("wb", buffering=0), True
        user: str | None = None
        sender, recipients = "", list[str]()

        def say(text: str) -> None:
            out.write(text.encode() + b"\r\n")

        say("220 peer ESMTP")
        while line := line_in.readline().decode().rstrip("\r\n"):
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            if verb in self.answers:
                say(self.answers[verb])
                continue
            match verb:
                case "EHLO":
                    offers = ["250-peer"]
                    if self.certificate is not None and not secure:
                        offers.append("250-STARTTLS")
                    if self.users:
                        offers.append("250-AUTH PLAIN")
                    for offer in offers:
                        say(offer)
                    say("250 8BITMIME")
                case "STARTTLS" if self.certificate is not None:
                    say("220 go on")
                    wrapped = self.certificate.wrap_socket(session.request, server_side=True)
                    line_in, out, secure = wrapped.makefile("rb"), wrapped.makefile("wb", buffering=0), True
                case "AUTH":
                    _, name, password = base64.b64decode(rest.split()[1]).decode().split("\0")
                    user = name if self.users.get(name) == password else None
                    say("235 welcome" if user else "535 wrong name or password")
                case "MAIL":
                    if self.users and user is None:
                        say("530 sign in first")
                        continue
                    sender = _address(rest)
                    say("250 ok")
                case "RCPT":
                    address = _address(rest)
                    if address.startswith("nobody@"):
                        say("550 no such user")
                        continue
                    recipients.append(address)
                    say("250 ok")
                case "DATA":
                    say("354 go on, end with a dot")
                    data = bytearray()
                    while (piece := line_in.readline()) != b".\r\n":
                        data += piece[1:] if piece.startswith(b"..") else piece
                    self.mails.append(Mail(sender, recipients, message_from_bytes(bytes(data)), user, secure))
                    sender, recipients = "", []
                    say("250 taken")
                case "RSET" | "NOOP":
                    say("250 ok")
                case "QUIT":
                    say("221 bye")
                    return
                case _:
                    say("502 what?")


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]
