"""The ground that tests stand on: one real server for the session, one fresh client for each test.

Tests never share a client and never roll back: they commit, as the product does, and isolation by client
keeps them apart. Pure tests start no server.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(tempfile.mkdtemp(prefix="ert", dir="/tmp")).resolve()  # short: socket paths are limited
HOME.chmod(0o755)  # as root, the server runs as another user and must get in
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
for variable in ("DATABASE_URL", "DATABASE_OWNER_URL", "ENGINEROOM_TOKEN", "ENGINEROOM_FAILPOINT"):
    os.environ.pop(variable, None)
os.environ["ENGINEROOM_HOME"] = str(HOME)
os.environ["DJANGO_SETTINGS_MODULE"] = "engineroom.settings"

import django  # noqa: E402
import hypothesis  # noqa: E402

django.setup()

# How fast the machine is at the moment is nothing that a test may fail of.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

from tests.firm import Firm, TestClient, make_firm  # noqa: E402

SHARED = Path(os.environ.get("ENGINEROOM_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published cases beside the project; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no shared folder of published cases at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def server() -> Iterator[object]:
    """An embedded server of the session's own, without fsync: crashes have servers of their own."""
    from engineroom.foundation import postgres

    settings = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    with postgres.session(extra_settings=settings) as running:
        yield running
        from django.db import connections

        connections.close_all()


@pytest.fixture(scope="session")
def firm(server: object) -> Firm:
    """The migrated database with a firm installed: owner and admin on the house client."""
    return make_firm()


@pytest.fixture
def client(firm: Firm) -> TestClient:
    """A new client with its staff, book and bank account."""
    return firm.new_client()


@pytest.fixture
def other_client(firm: Firm) -> TestClient:
    """A second client, with staff of its own."""
    return firm.new_client()
