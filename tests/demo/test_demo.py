"""The demonstration, typed as a newcomer types it: in a home of its own, from nothing to cleared bank
lines."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).parent / "engineroom"
HOLDS = (
    "  holds: every entry balances and no balance is without its postings",
    "  holds: every control account is the sum of its open items",
    "  holds: the bank's statement is the ledger plus the exceptions",
)
MARK = """
from engineroom.cli.ground import ground
with ground():
    from django.db import connections, transaction
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SELECT set_config('app.face', 'firm', true)")
        cursor.execute("UPDATE foundation_installation SET is_demo = %s", [{is_demo}])
"""


class Demo:
    """A home and an out folder, and how commands are typed there."""

    def __init__(self, folder: Path) -> None:
        self.home, self.out = folder / "home", folder / "out"
        self.home.mkdir()
        self.environment = {**os.environ, "ENGINEROOM_HOME": str(self.home)}

    def typed(self, *words: object) -> subprocess.CompletedProcess[str]:
        return self._run([str(PROGRAM), *map(str, words)])

    def demo(self, *more: str) -> subprocess.CompletedProcess[str]:
        return self.typed("demo", "--no-serve", "--out", self.out, *more)

    def mark(self, *, is_demo: bool) -> None:
        done = self._run([sys.executable, "-c", MARK.format(is_demo=is_demo)])
        assert done.returncode == 0, done.stderr

    def _run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, capture_output=True, text=True, env=self.environment, timeout=300, check=False
        )


@pytest.fixture(scope="module")
def place() -> Iterator[Demo]:
    """Short, because socket paths are limited; open to others, because as root the server is somebody
    else."""
    folder = Path(tempfile.mkdtemp(prefix="erd", dir="/tmp")).resolve()
    folder.chmod(0o755)
    made = Demo(folder)
    made.home.chmod(0o755)
    assert (
        made.typed("db", "start").returncode == 0
    )  # stopping and starting it is tested elsewhere, and takes long
    yield made
    made.typed("db", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def first(place: Demo) -> subprocess.CompletedProcess[str]:
    done = place.demo()
    assert done.returncode == 0, done.stderr + done.stdout
    return done


@pytest.mark.slow
def test_everything_it_says_holds(first: subprocess.CompletedProcess[str]) -> None:
    for line in HOLDS:
        assert line in first.stdout.splitlines()
    assert "DOES NOT HOLD" not in first.stdout
    assert "blocker" not in first.stdout, "nothing keeps the run"
    assert "; 1 exception" in first.stdout
    assert "unknown receipt" in first.stdout
    assert max(map(len, first.stdout.splitlines())) <= 200


@pytest.mark.slow
def test_every_customer_gets_an_invoice_and_what_is_held_is_in_none(
    place: Demo, first: subprocess.CompletedProcess[str]
) -> None:
    """Eight customers: one is over its order and one disputes a week, and both are billed for the rest."""
    assert "8 drafts of bill run 1" in first.stdout
    assert "8 invoices, INV-000001 to INV-000008" in first.stdout
    assert len(list((place.out / "invoices").glob("INV-*.pdf"))) == 8
    assert len(list((place.out / "payslips").glob("*.pdf"))) == 60
    (report,) = place.out.glob("report-*.html")
    page = report.read_text(encoding="utf-8")
    assert "over order: beyond the limit of order PO-88213" in page
    assert "disputed: Ward manager says" in page
    assert "Not explained by the steps" not in page


@pytest.mark.slow
def test_its_work_runs_as_cases_of_published_procedures(
    place: Demo, first: subprocess.CompletedProcess[str]
) -> None:
    """Cases in every state a newcomer should see: done, waiting for somebody, for the client, due today."""
    assert cases_of(place) == {
        "Pay and bill, paid 27 Nov 2026": "done",
        "Pay and bill, paid 4 Dec 2026": "running",
        "Lee Musgrave leaves Brightwell": "done",
        "Brightwell's larger order instead of PO-88213": "running",
        "Close of November 2026": "running",
        "Close of November 2026: Reconcile the bank": "running",
    }
    as_of = {
        name: place.typed("--as", f"{name}@harbour.example", "cases", "inbox") for name in ("lena", "bea")
    }
    assert "approve" in as_of["lena"].stdout
    assert "bill_what_was_done" in as_of["bea"].stdout
    assert "mine" in as_of["bea"].stdout
    asked = place.typed("--as", "priya@harbour.example", "cases", "requests", "NORTHGATE")
    assert "ask_for_the_document" in asked.stdout
    week = place.typed("--as", "priya@harbour.example", "cases", "show", "NORTHGATE", 1).stdout
    for who in ("Priya Raman", "Lena Hoffmann", "Omar Siddiqui", "Bea Lindqvist"):
        assert who in week
    assert "Which week is the last one paid?" in place.typed(
        "--as", "priya@harbour.example", "cases", "show", "NORTHGATE", 3
    ).stdout.replace("\n", " ")
    board = place.typed("--as", "lena@harbour.example", "sla", "board", "NORTHGATE")
    assert board.stdout.count("running") >= 3
    assert "paused" in board.stdout, "while the client is asked"


def cases_of(place: Demo) -> dict[str, str]:
    """The client's cases by title, and how each stands."""
    listed = place.typed("--as", "priya@harbour.example", "cases", "list", "NORTHGATE", "--state", "all")
    found = re.findall(r"^ *\d+ +(\S.*?) {2,}(running|done|cancelled)", listed.stdout, re.MULTILINE)
    return dict(found)


@pytest.mark.slow
def test_what_it_says_to_type_next_works_as_printed(
    place: Demo, first: subprocess.CompletedProcess[str]
) -> None:
    lines = first.stdout.splitlines()
    printed = [
        line.strip() for line in lines[lines.index("What to type next") :] if "engineroom --as" in line
    ]
    assert len(printed) == 3
    for line in printed:
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (line, done.stderr)
    paths = [Path(line.strip()) for line in lines[lines.index("Where to look") :] if line.startswith("    /")]
    assert len(paths) == 5
    assert all(path.exists() for path in paths), paths
    assert shlex.quote(str(place.home)) in printed[0]


@pytest.mark.slow
def test_a_second_run_finds_everything_done_and_is_quick(
    place: Demo, first: subprocess.CompletedProcess[str]
) -> None:
    began = time.monotonic()
    again = place.demo()
    took = time.monotonic() - began
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("taken before") == 9
    assert "problems" not in again.stdout
    assert not re.search(r"case \d+: (Priya|Lena|Omar|Bea) ", again.stdout), "nobody does a step twice"
    assert len(cases_of(place)) == 6
    assert re.search(r"no new letters, [1-9][0-9]* there: ", again.stdout)
    assert [line for line in again.stdout.splitlines() if line in HOLDS] == list(HOLDS)
    assert trial_balance(again.stdout) == trial_balance(first.stdout)
    assert took < 60, "it should find things done, not do them"


def trial_balance(text: str) -> list[str]:
    return re.findall(r"^\d{4} .*$", text, re.MULTILINE)


@pytest.mark.slow
def test_it_keeps_its_hands_off_a_real_firm_and_starts_its_own_over(
    place: Demo, first: subprocess.CompletedProcess[str]
) -> None:
    place.mark(is_demo=False)
    try:
        for more in ((), ("--reset",)):
            refused = place.demo(*more)
            assert refused.returncode == 1
            assert "this database holds a real firm" in refused.stderr
            assert "Traceback" not in refused.stderr
    finally:
        place.mark(is_demo=True)
    assert place.typed("--as", "bea@harbour.example", "ledger", "verify", "NORTHGATE").returncode == 0
    over = place.demo("--reset")
    assert over.returncode == 0, over.stderr
    assert "60 people, 0 changed" in over.stdout
    assert trial_balance(over.stdout) == trial_balance(first.stdout)
