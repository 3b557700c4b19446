"""People and their terms, as typed."""

from __future__ import annotations

from tests.cli.conftest import Cli
from tests.firm import TestClient
from tests.people.test_people_files import person, take


def test_terms_are_previewed_set_shown_and_taken_back(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    take(staffed, person())
    who, code = mail["specialist"], staffed.code
    first = ("people", "set-terms", code, "T1", "--hours", "37.5", "--reason", "late", "--from", "2026-01-05")
    seen = cli(*first, "--salary", "24,000", "--preview", who=who)
    assert seen.code == 0 and "24,000.00" in seen.out, seen.err
    assert cli(*first, "--salary", "24,000", "--title", "Fitter", who=who).code == 0
    rise = (*first[:-1], "2026-07-01")
    assert "change 2" in cli(*rise, "--salary", "26,000", who=who).out
    shown = cli("people", "terms", code, "T1", who=who).out
    assert "2026-06-30" in shown and "26,000.00" in shown and "37:30" in shown and "Mon-Fri" in shown
    known = cli("people", "terms", code, "T1", "--known-at", 1, who=who).out
    assert "26,000.00" not in known and "2026-06-30" not in known
    back = ("people", "withdraw-terms", code, "T1", "--from", "2026-07-01", "--reason", "a slip")
    assert cli(*back, who=who).code == 0
    assert "26,000.00" not in cli("people", "terms", code, "T1", who=who).out
    assert "no terms of T1 stand" in cli(*back, who=who).err


def test_what_is_wrong_with_typed_terms_is_listed(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    take(staffed, person())
    ask = (
        "people",
        "set-terms",
        staffed.code,
        "T1",
        "--from",
        "2026-01-05",
        "--hours",
        "x",
        "--days",
        "never",
    )
    ended = cli(*ask, "--salary", "lots", who=mail["specialist"])
    assert ended.code == 2
    for words in ("is not an amount", "no number of hours", "names no days"):
        assert words in ended.out + ended.err
    both = cli(*ask[:-4], "--hours", "8", "--salary", "1", "--hourly", "1", who=mail["specialist"])
    assert both.code == 2 and "a salary or an hourly rate" in both.out + both.err
    nobody = cli(*ask[:3], "T9", *ask[4:6], "--hours", "8", "--salary", "1", who=mail["specialist"])
    assert nobody.code == 1 and "nobody with payroll number" in nobody.err


def test_somebody_leaves_and_comes_back_as_typed(cli: Cli, staffed: TestClient, mail: dict[str, str]) -> None:
    take(staffed, person())
    who, code = mail["specialist"], staffed.code
    asked = ("people", "leave", code, "T1")
    assert "goes on" in cli(*asked, who=who).out
    wrong = cli(*asked, "--last-day", "2026-03-31", "--why", "bored", who=who)
    assert wrong.code == 2 and "resigned, dismissed" in wrong.out + wrong.err
    assert "first" in cli("people", "return", code, "T1", "--from", "2026-09-01", who=who).err
    left = cli(*asked, "--last-day", "2026-03-31", "--why", "resigned", who=who)
    assert left.code == 0 and "is 2026-03-31" in left.out, left.err
    back = cli("people", "return", code, "T1", "--from", "2026-09-01", who=who)
    assert back.code == 0 and "from 2026-09-01" in back.out, back.err
    assert "goes on" in cli(*asked, who=who).out
