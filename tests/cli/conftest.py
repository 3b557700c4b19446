"""The command line in this very process: what it prints, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from tests.firm import Firm, TestClient, give_token

from engineroom.cli import main


@dataclass(frozen=True)
class Ended:
    """code: 0 done, 1 refused, 2 bad input, 3 another person must act."""

    code: int
    out: str
    err: str


Cli = Callable[..., Ended]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """`cli("ledger", "verify", code, who=email)` as somebody would type it."""

    def run(*words: object, who: str | None = None) -> Ended:
        as_whom = ["--as", who] if who else []
        monkeypatch.setattr(sys, "argv", ["engineroom", *as_whom, *map(str, words)])
        capsys.readouterr()
        try:
            main.main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


@pytest.fixture
def staffed(firm: Firm, client: TestClient) -> TestClient:
    """A client whose staff hold tokens."""
    for user in client.staff.values():
        give_token(firm, user)
    return client


@pytest.fixture
def mail(staffed: TestClient) -> dict[str, str]:
    """Addresses by role."""
    return {role: user.email for role, user in staffed.staff.items()}
