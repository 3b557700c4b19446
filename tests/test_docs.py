"""The documents say what is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests import behaviours

ROOT = Path(__file__).parents[1]
OWED = (
    "LED-01", "LED-06", "LED-07", "INV-01", "BILL-04", "BILL-05", "SETL-02", "SETL-03", "CLR-04",
    "CLR-05", "CLR-09", "PAY-11", "PRIV-01", "FIRM-01", "PAY-10", "SOP-08",
)  # fmt: skip


def test_the_page_of_behaviours_is_what_the_tests_prove():
    assert behaviours.PAGE.read_text(encoding="utf-8") == behaviours.page(), "run: make behaviours"


def test_every_behaviour_owed_so_far_is_proven():
    assert set(OWED) <= behaviours.marks().keys()


def test_every_command_in_the_readme_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = {
        tuple(word for word in line.split("engineroom ", 1)[1].split() if not word.startswith(("-", "<")))
        for line in re.findall(r"^\s*\$?\s*(?:\.venv/bin/)?engineroom .*$", text, flags=re.MULTILINE)
    }
    assert commands
    listed = subprocess.run(
        [sys.executable, "-c", "from engineroom.cli import main; main._add_groups(); import typer;"
         "c = typer.main.get_command(main.app);"
         "print('\\n'.join(' '.join([n, m]) if hasattr(s, 'commands') else n"
         " for n, s in c.commands.items() for m in getattr(s, 'commands', {'': None})))"],
        capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    known = {line.split(" ")[0] for line in listed}
    for words in commands:
        name = next(w for w in words if "@" not in w)
        assert name in known, f"the README speaks of `engineroom {' '.join(words)}`"


def test_every_dependency_is_justified():
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    for source in ("run", "test"):
        for line in (ROOT / "requirements" / f"{source}.in").read_text().splitlines():
            name = re.split(r"[\[<>=;# ]", line.strip())[0]
            if name and not line.startswith("-"):
                assert name.lower() in page, f"docs/dependencies.md does not justify {name}"
