"""A mail server that listens for real, and takes, refuses or puts off what a test tells it to."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings


@dataclass
class PostOffice:
    """answers: by address, what is said to its RCPT instead of yes."""

    port: int
    taken: list[tuple[str, str]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    def to(self, address: str) -> list[str]:
        return [text for who, text in self.taken if who == address]


class _Talk(socketserver.StreamRequestHandler):
    def say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())

    def handle(self) -> None:
        office: PostOffice = self.server.office  # type: ignore[attr-defined]
        self.say("220 ready")
        address = ""
        while line := self.rfile.readline().decode().strip():
            verb = line.upper()
            if verb.startswith("RCPT"):
                address = line.partition("<")[2].partition(">")[0]
                self.say(office.answers.get(address, "250 yes"))
            elif verb == "DATA":
                self.say("354 go on")
                text = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    text += part
                office.taken.append((address, text.decode()))
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 yes")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def post_office(port: int = 0) -> Iterator[PostOffice]:
    """Mail goes to it by SMTP, as the setting ENGINEROOM_SMTP has it go."""
    with _Server(("127.0.0.1", port), _Talk) as server:
        office = PostOffice(server.server_address[1])
        server.office = office  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            with by_smtp(office.port):
                yield office
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def by_smtp(port: int) -> Iterator[None]:
    ours = {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": "",
        "EMAIL_HOST_PASSWORD": "",
        "EMAIL_USE_TLS": False,
        "EMAIL_USE_SSL": False,
        "EMAIL_TIMEOUT": 5,
    }
    before = {name: getattr(settings, name, None) for name in ours}
    for name, value in ours.items():
        setattr(settings, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(settings, name, value)
