"""Promises and their clocks, absences, and somebody who leaves, as typed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from tests.cli.conftest import Cli
from tests.firm import Firm, TestClient, give_token
from tests.sop.writing import procedure_text

from engineroom.foundation.tenancy.scope import acting
from engineroom.sop import drafts

TODAY = timezone.now().date()


@pytest.fixture(scope="module")
def procedure(firm: Firm) -> str:
    with acting(firm.owner, write=firm.house_id):
        return drafts.publish(procedure_text("typed_promise")).key


def test_a_promise_is_made_explained_and_ended(
    cli: Cli, staffed: TestClient, mail: dict[str, str], procedure: str
) -> None:
    here, lena = staffed.code, mail["lead"]
    assert cli("cases", "start", here, procedure, "--field", "day=2026-11-27", who=lena).code == 0
    nothing = cli("sla", "explain", here, 1, who=lena)
    assert nothing.code == 1 and "nothing is promised for case 1" in nothing.err
    assert "there is no case 9" in cli("sla", "explain", here, 9, who=lena).err
    refused = cli("sla", "promise", here, "By noon", "--hours", 4, who=mail["specialist"])
    assert refused.code == 1 and "quality.prepare" in refused.err
    assert "a second to 400 days" in cli("sla", "promise", here, "By noon", who=lena).out
    assert cli("sla", "promise", here, "By noon", "--hours", 4, "--procedure", procedure, who=lena).code == 0
    board = cli("sla", "board", here, who=mail["specialist"])
    assert board.code == 0 and "4 h" in board.out, board.out + board.err
    explained = cli("sla", "explain", here, 1, who=mail["specialist"])
    assert explained.code == 0 and "the same to the second" in explained.out
    ended = cli("sla", "end-promise", here, "--procedure", procedure, "--reason", "agreed so", who=lena)
    assert ended.code == 0, ended.err
    again = cli("sla", "end-promise", here, "--procedure", procedure, "--reason", "agreed so", who=lena)
    assert again.code == 1 and "nothing is promised there" in again.err


def test_an_absence_is_recorded_and_shown_with_who_stands_in(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    first, last = TODAY + timedelta(days=2), TODAY + timedelta(days=3)
    priya, lena = mail["specialist"], mail["lead"]
    wrong = cli("workforce", "away", last, first, who=priya)
    assert wrong.code == 2 and "before the first" in wrong.out
    assert cli("workforce", "away", first, last, "--stand-in", lena, who=priya).code == 0
    others = ("--user", mail["bookkeeper"], "--client", staffed.code)
    assert cli("workforce", "away", first, last, *others, who=lena).code == 0
    assert cli("workforce", "away", first, last, *others, who=priya).code == 1
    shown = cli("workforce", "list", who=lena).out
    assert f"{first} to {last}" in " ".join(shown.split()) and "Nobody is left" in shown


def test_an_absence_is_called_off_by_its_first_day(
    cli: Cli, staffed: TestClient, mail: dict[str, str]
) -> None:
    first, last = TODAY + timedelta(days=40), TODAY + timedelta(days=41)
    priya, lena, bea = mail["specialist"], mail["lead"], mail["bookkeeper"]
    others = ("--user", bea, "--client", staffed.code)
    for who, more in ((priya, ()), (lena, others)):
        assert cli("workforce", "away", first, last, *more, who=who).code == 0
        assert cli("workforce", "call-off", last, *more, who=who).code == 1, "none begins on that day"
        done = cli("workforce", "call-off", first, *more, who=who)
        assert done.code == 0 and "called off" in done.out, done.out + done.err
        again = cli("workforce", "call-off", first, *more, who=who)
        assert again.code == 1 and f"no absence that begins on {first}" in again.err
    assert cli("workforce", "call-off", first, *others, who=priya).code == 1


def test_teams_are_made_filled_and_listed_by_an_admin(
    cli: Cli, firm: Firm, staffed: TestClient, mail: dict[str, str]
) -> None:
    give_token(firm, firm.admin)
    admin, priya, here = firm.admin.email, mail["specialist"], staffed.code
    name = f"Team of {here}"
    assert cli("workforce", "team-make", name, who=mail["lead"]).code == 1, "an admin makes teams"
    for words in (
        ("team-make", name, "--lead", mail["lead"]),
        ("team-join", name, priya, "--from", TODAY),
        ("team-serve", name.upper(), here),
    ):
        done = cli("workforce", *words, who=admin)
        assert done.code == 0, done.out + done.err
    twice = cli("workforce", "team-join", name, priya, who=admin)
    assert twice.code == 1 and "already" in twice.err
    shown = " ".join(cli("workforce", "teams", who=mail["lead"]).out.split())
    assert name in shown and here in shown
    for words in (("team-leave", name, priya), ("team-stop", name, here)):
        assert cli("workforce", *words, "--until", TODAY, who=admin).code == 0
    lost = cli("workforce", "team-join", "Nobody's", priya, who=admin)
    assert lost.code == 1 and "there is no team" in lost.err
    nowhere = cli("workforce", "team-serve", name, "NOWHERE", who=admin)
    assert nowhere.code == 1 and "there is no client" in nowhere.err


def test_who_leaves_is_off_boarded_and_granted_nothing_any_more(
    cli: Cli, firm: Firm, staffed: TestClient, mail: dict[str, str]
) -> None:
    give_token(firm, firm.admin)
    leaver = firm.new_user()
    firm.grant(leaver, staffed.id, "specialist")
    words = ("workforce", "offboard", leaver.email, "--reason", "moves away")
    assert cli(*words, who=mail["lead"]).code == 1
    done = cli(*words, "--successor", mail["specialist"], who=firm.admin.email)
    assert done.code == 0 and "1 grant, 0 tokens" in done.out, done.out + done.err
    grant = ("users", "grant", leaver.email, staffed.code, "specialist", "--reason", "back again")
    refused = cli(*grant, who=firm.admin.email)
    assert refused.code == 2 and "is switched off" in refused.out, refused.out + refused.err
