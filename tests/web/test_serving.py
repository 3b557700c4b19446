"""`engineroom serve`, as a process: what it starts, what it refuses, and that nothing of it stays behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from engineroom.cli import serving
from engineroom.cli.serving import base_url, free_port
from engineroom.foundation.access.services import clients_with_unsealed_events
from tests.firm import Firm, typed

PROGRAM = Path(sys.executable).parent / "engineroom"


class Served:
    def __init__(self) -> None:
        self.port = free_port("127.0.0.1", 18000, 500)
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--port", str(self.port), "--workers", "1"],
            env={**os.environ, "ENGINEROOM_HOME": str(settings.HOME)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def get(self, path: str) -> tuple[int, dict[str, str], str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read().decode()

    def wait(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                assert self.get("/healthz")[2] == "ok\n"
                return
            except OSError:
                assert self.process.poll() is None, self.process.stdout.read().decode()
                time.sleep(0.2)
        raise AssertionError("it does not answer")

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def served(firm: Firm) -> Iterator[Served]:
    running = Served()
    try:
        running.wait()
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
        running.process.wait(30)


@pytest.mark.slow
def test_it_serves_hashed_files_seals_and_stops_whole(firm: Firm, served: Served):
    _, headers, page = served.get("/sign-in")
    assert headers["content-security-policy"].startswith("default-src 'none'")
    (style,) = re.findall(r'href="(/static/ui/ui\.[0-9a-f]{12}\.css)"', page)
    status, headers, _ = served.get(style)
    assert status == 200 and "immutable" in headers["cache-control"]
    assert "content-security-policy" in headers
    firm.new_user()  # leaves an event to seal
    until = time.monotonic() + 30
    while clients_with_unsealed_events() and time.monotonic() < until:
        time.sleep(0.5)
    assert not clients_with_unsealed_events(), "the worker beside the pages seals"
    family = served.family()
    assert len(family) >= 3
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(30) == 0
    assert not psutil.wait_procs(family, timeout=10)[1]


@pytest.mark.slow
def test_what_ends_the_parent_ends_the_children(served: Served):
    family = served.family()
    served.process.kill()
    assert not psutil.wait_procs(family, timeout=30)[1]


@pytest.mark.parametrize(
    ("host", "environment", "expected"),
    [
        ("127.0.0.1", {}, "http://127.0.0.1:8103"),
        ("::1", {}, "http://[::1]:8103"),
        ("0.0.0.0", {}, "http://127.0.0.1:8103"),
        ("0.0.0.0", {"ENGINEROOM_HOSTS": "pay.example.com"}, "http://pay.example.com:8103"),
        (
            "127.0.0.1",
            {"ENGINEROOM_HOSTS": "pay.example.com", "ENGINEROOM_TLS": "1"},
            "https://pay.example.com",
        ),
        ("127.0.0.1", {"ENGINEROOM_URL": "https://said.example"}, "https://said.example"),
    ],
)
def test_links_in_mails_lead_to_what_is_served(
    monkeypatch: pytest.MonkeyPatch, host: str, environment: dict[str, str], expected: str
):
    for name in ("ENGINEROOM_URL", "ENGINEROOM_HOSTS", "ENGINEROOM_TLS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert base_url(host, 8103) == expected


@pytest.mark.slow
def test_both_processes_know_where_they_are_served(served: Served):
    said = f"http://127.0.0.1:{served.port}"
    knowing = [p for p in served.family() if p.environ().get("ENGINEROOM_URL") == said]
    assert len(knowing) >= 2


def test_a_taken_port_is_refused_with_what_to_do(firm: Firm):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = typed("serve", "--port", port)
    assert done.returncode == 1
    assert f"127.0.0.1:{port} cannot be used" in done.stderr and f"--port {port + 1}" in done.stderr


def test_tables_of_an_older_version_are_not_served_from(firm: Firm, monkeypatch: pytest.MonkeyPatch):
    """After an upgrade nobody meets pages that break one by one."""
    serving.require_tables_of_this_version()
    applied = MigrationRecorder.applied_migrations
    latest = MigrationLoader(connection).graph.leaf_nodes("payroll")[0]
    monkeypatch.setattr(
        MigrationRecorder,
        "applied_migrations",
        lambda self: {k: v for k, v in applied(self).items() if k != latest},
    )
    with pytest.raises(serving.TablesOfAnotherVersion, match=rf"payroll {latest[1]}.*db migrate"):
        serving.require_tables_of_this_version()


def test_an_invitation_is_made_on_the_command_line(firm: Firm):
    from tests.firm import give_token

    user = firm.new_user()
    give_token(firm, firm.admin)
    done = typed("--as", firm.admin.email, "users", "invite", user.email)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{settings.BASE_URL}/invitation/{user.id}/")
