"""Staff on many clients: teams, absences, stand-ins, and somebody who leaves and has no way in any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import psycopg
import pytest
from allauth.usersessions.models import UserSession
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.urls import reverse
from django.utils import timezone

from engineroom.foundation.access import services as access
from engineroom.foundation.access.models import Grant, Token
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.jobs.worker import run_worker
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, NotPermitted
from engineroom.kernel.ids import uuid7
from engineroom.sop import drafts
from engineroom.sop import services as sop
from engineroom.sop.models import CaseEvent, Task
from engineroom.workforce import selectors, services
from engineroom.workforce.models import Absence, OffBoarding
from tests.firm import Firm, TestClient, connect
from tests.sop.writing import procedure_text
from tests.web.conftest import PASSWORD, new_browser, set_password, signed_in

TODAY = timezone.now().date()
SOON = TODAY + timedelta(days=3)


def days(first: int, last: int) -> tuple[date, date]:
    return TODAY + timedelta(days=first), TODAY + timedelta(days=last)


def off(firm: Firm, user: Identity, **more: object) -> services.OffBoarded:
    with acting(firm.admin, write=firm.house_id):
        return services.offboard(user.id, reason="moves to Cornwall", **more)  # type: ignore[arg-type]


# --- leaving ----------------------------------------------------------------------------------------------


@pytest.fixture
def leaver(firm: Firm, client: TestClient, other_client: TestClient) -> Identity:
    """Somebody with everything: two clients, a token, a device, a team that they lead, an absence to come."""
    user = firm.new_user()
    set_password(user.id)
    firm.grant(user, client.id, "specialist")
    firm.grant(user, other_client.id, "lead", ends=TODAY + timedelta(days=90))
    with acting(user, write=client.id):
        access.issue_token(user.id)
        services.record_own_absence(*days(10, 12))
    with acting(firm.admin, write=firm.house_id):
        team = services.make_team(f"Team of {user.email}", lead_id=user.id)
        services.join_team(team.team_id, user.id, starts=TODAY)
    return user


def test_who_leaves_has_no_way_in_from_that_moment(firm: Firm, client: TestClient, leaver: Identity) -> None:
    browser = new_browser()
    browser.post(reverse("account_login"), {"login": leaver.email, "password": PASSWORD})
    assert browser.get("/today").status_code == 200
    successor = client.staff["specialist"]
    done = off(firm, leaver, successor_id=successor.id)
    assert (done.grants, done.tokens, done.devices, done.teams) == (2, 1, 1, 1)
    assert browser.get("/today").status_code == 303
    assert not UserSession.objects.filter(user_id=leaver.id).exists()
    with pytest.raises(NotPermitted), acting(leaver, read=[client.id]):
        pass
    with acting(firm.admin, read=[firm.house_id]):
        assert not Token.objects.filter(user_id=leaver.id, revoked_at=None).exists()
        assert all(g.ends <= TODAY for g in Grant.objects.filter(user_id=leaver.id))
        assert not Absence.objects.filter(user_id=leaver.id, called_off_at=None).exists()
        team = next(t for t in selectors.teams(TODAY) if leaver.email in t.team.name)
        assert team.team.lead_id == successor.id


def test_what_ended_stands_in_one_trail(firm: Firm, leaver: Identity) -> None:
    done = off(firm, leaver)
    with acting(firm.admin, read=[firm.house_id]):
        whole = AuditEvent.objects.get(verb="workforce.offboard", subject_id=leaver.id)
        under = f"{whole.detail['key']}/workforce.offboard/"
        others = AuditEvent.objects.filter(verb__startswith="foundation.")
        parts = [e for e in others if str(e.detail.get("key", "")).startswith(under)]
    assert sorted(e.verb for e in parts) == ["foundation.end_grant"] * 2 + ["foundation.switch_off_user"]
    assert whole.detail["result"]["grants"] == done.grants


def test_a_client_and_a_role_that_nobody_else_holds_are_named(firm: Firm, client: TestClient) -> None:
    done = off(firm, client.staff["specialist"])
    assert done.left_without == [f"{client.code}: specialist"]


def test_nobody_leaves_twice_nor_by_their_own_hand_nor_without_a_reason(firm: Firm, leaver: Identity) -> None:
    with acting(firm.admin, write=firm.house_id):
        with pytest.raises(InputRefused, match="needs a reason"):
            services.offboard(leaver.id, reason="  ")
        with pytest.raises(InputRefused, match="the reason has 401 letters"):
            services.offboard(leaver.id, reason="x" * 401)
        with pytest.raises(InputRefused, match="takes over from themselves"):
            services.offboard(leaver.id, reason="x", successor_id=leaver.id)
        with pytest.raises(NotPermitted, match="nobody switches themselves off"):
            services.offboard(firm.admin.id, reason="x")
    off(firm, leaver)
    with pytest.raises(Conflict, match="was off-boarded before"):
        off(firm, leaver)


def test_open_tasks_are_counted_by_whoever_has_them(firm: Firm, client: TestClient) -> None:
    with acting(firm.owner, write=firm.house_id):
        key = drafts.publish(procedure_text("counted")).key
    priya = client.staff["specialist"]

    def load() -> dict[str, tuple[int, int]]:
        with client.acting("lead"):
            rows = selectors.staff(TODAY, [client.id])
        return {row.user.email: (row.open_tasks, row.late_tasks) for row in rows if row.open_tasks}

    tasks = []
    for _ in range(3):
        with client.acting("specialist"):
            case = sop.start_case(key, values={"day": "2026-11-27"})
            tasks.append(Task.objects.get(client_id=client.id, case_id=case.case_id).id)
    assert load() == {}
    for task in tasks[:2]:
        with client.acting("specialist"):
            sop.claim(task)
    with client.acting("specialist"):
        late = timezone.now() - timedelta(hours=1)
        Task.objects.filter(client_id=client.id, id=tasks[0]).update(due_at=late)
    assert load() == {priya.email: (2, 1)}
    with client.acting("specialist"):
        sop.release(tasks[0])
    assert load() == {priya.email: (1, 0)}
    page = signed_in(client.staff["lead"]).get(reverse("workforce:person", args=[priya.id])).content.decode()
    assert "Open tasks" in page


def test_open_tasks_go_to_the_successor_or_back_to_their_role(firm: Firm, client: TestClient) -> None:
    with acting(firm.owner, write=firm.house_id):
        key = drafts.publish(procedure_text("handed_over")).key
    leaver, successor, outsider = firm.new_user(), client.staff["specialist"], firm.new_user()
    firm.grant(leaver, client.id, "specialist")
    second = firm.new_user()
    firm.grant(second, client.id, "specialist")
    for user, to, expected in ((leaver, successor, successor.id), (second, outsider, None)):
        with acting(user, write=client.id):
            case = sop.start_case(key, values={"day": "2026-11-27"})
            task = Task.objects.get(client_id=client.id, case_id=case.case_id)
            sop.claim(task.id)
        off(firm, user, successor_id=to.id)
        run_worker(wait=False)
        with client.acting("lead"):
            assert Task.objects.get(client_id=client.id, id=task.id).assignee_id == expected
            last = CaseEvent.objects.filter(client_id=client.id, case_id=case.case_id).order_by("seq").last()
        assert last is not None and last.kind == ("delegated" if expected else "released")
        assert "moves to Cornwall" in last.data["reason"]


def test_only_an_admin_at_home_off_boards(client: TestClient, leaver: Identity) -> None:
    with client.acting("lead"), pytest.raises(NotPermitted):
        services.offboard(leaver.id, reason="x")
    assert signed_in(client.staff["lead"]).post(
        reverse("workforce:offboard", args=[leaver.id]), {"reason": "x"}
    ).status_code == 404  # fmt: skip


def _part() -> transaction.Atomic:
    return transaction.atomic()


@contextmanager
def _refused(firm: Firm, words: str) -> Iterator[None]:
    with acting(firm.admin, write=firm.house_id), pytest.raises(DatabaseError, match=words):
        yield


@pytest.mark.parametrize(
    ("left", "sql"),
    [
        ("the sign-in", "SELECT"),
        ("a grant", "UPDATE foundation_user SET is_active = false WHERE id = %(user)s"),
    ],
)
def test_postgresql_commits_no_off_boarding_that_leaves_a_way_in(
    firm: Firm, leaver: Identity, left: str, sql: str
) -> None:
    with pytest.raises(DatabaseError, match=left), acting(firm.admin, write=firm.house_id):
        with connection.cursor() as cursor:
            if sql != "SELECT":
                cursor.execute(sql, {"user": leaver.id})
        OffBoarding.objects.create(user_id=leaver.id, reason="x")


def test_postgresql_lets_nobody_else_off_board_or_bring_back(
    firm: Firm, client: TestClient, leaver: Identity
) -> None:
    with client.acting("lead"), pytest.raises(DatabaseError, match="by an admin of the house"), _part():
        OffBoarding.objects.create(user_id=leaver.id, reason="x")
    off(firm, leaver)
    with _refused(firm, "who comes back is a new user"), _part(), connection.cursor() as cursor:
        cursor.execute("UPDATE foundation_user SET is_active = true WHERE id = %s", [leaver.id])
    for verb in ("UPDATE workforce_offboarding SET reason = 'y'", "DELETE FROM workforce_offboarding"):
        with connect() as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(verb)


# --- absences ---------------------------------------------------------------------------------------------


def test_people_say_themselves_when_they_are_away(client: TestClient) -> None:
    user, stand_in = client.staff["specialist"], client.staff["lead"]
    with client.acting("specialist"):
        services.record_own_absence(*days(0, 4), stand_in_id=stand_in.id)
        with pytest.raises(Conflict, match="away on some of these days"):
            services.record_own_absence(*days(4, 6))
        row = next(r for r in selectors.staff(TODAY, [client.id]) if r.user.id == user.id)
    assert row.absence is not None and (row.absence.starts, row.absence.ends) == days(0, 4)
    assert row.absence.stand_in_id == stand_in.id
    assert row.in_words == f"specialist on {client.code}"
    assert row.absence.recorded_by_id == user.id


def test_an_absence_is_called_off_and_stays_as_it_was(client: TestClient) -> None:
    with client.acting("specialist"):
        made = services.record_own_absence(*days(0, 4))
    with client.acting("bookkeeper"), pytest.raises(NotFound):
        services.call_off_own_absence(made.absence_id)
    with client.acting("lead"):
        services.call_off_absence(made.absence_id)
    with client.acting("specialist"):
        services.record_own_absence(*days(2, 3))  # the days are free again
        with pytest.raises(DatabaseError, match="called off, not changed"), transaction.atomic():
            Absence.objects.filter(id=made.absence_id).update(ends=SOON)


def test_a_lead_speaks_for_their_own_clients_people_only(
    client: TestClient, other_client: TestClient
) -> None:
    theirs = other_client.staff["specialist"]
    with client.acting("lead"), pytest.raises(NotFound, match="works on this client"):
        services.record_absence(theirs.id, *days(0, 1))
    with other_client.acting("lead"):
        services.record_absence(theirs.id, *days(0, 1))
    with other_client.acting("bookkeeper"), pytest.raises(NotPermitted):
        services.record_absence(theirs.id, *days(5, 6))


@pytest.mark.parametrize(
    ("first", "last", "who", "says"),
    [(3, 1, None, "before the first"), (0, 400, None, "at most a year"), (0, 1, "self", "for themselves")],
)
def test_days_that_cannot_be_are_refused(
    client: TestClient, first: int, last: int, who: str | None, says: str
) -> None:
    user = client.staff["specialist"]
    with client.acting("specialist"), pytest.raises(InputRefused, match=says):
        services.record_own_absence(*days(first, last), stand_in_id=user.id if who else None)


def test_nobody_stands_in_who_is_away_too(client: TestClient) -> None:
    with client.acting("lead"):
        services.record_own_absence(*days(0, 9))
    with client.acting("specialist"), pytest.raises(InputRefused, match="is away themselves"):
        services.record_own_absence(*days(9, 10), stand_in_id=client.staff["lead"].id)


def test_days_on_which_everybody_of_a_role_is_away_are_found(firm: Firm, client: TestClient) -> None:
    second = firm.new_user()
    firm.grant(second, client.id, "specialist")
    with client.acting("specialist"):
        services.record_own_absence(*days(1, 8), stand_in_id=client.staff["lead"].id)
    with acting(second, write=client.id):
        services.record_own_absence(*days(5, 6))
        found = [g for g in selectors.gaps(TODAY, [client.id]) if g.role == "specialist"]
    assert [(g.first, g.last, g.stand_ins) for g in found] == [(*days(5, 6), (f"{_name(client, 'lead')}",))]
    assert len(found[0].away) == 2


def _name(client: TestClient, role: str) -> str:
    return client.staff[role].name


def test_an_absence_is_seen_by_the_firm_and_by_nobody_else(firm: Firm, client: TestClient) -> None:
    with client.acting("specialist"):
        services.record_own_absence(*days(0, 4))
    contact = firm.new_user("client")
    firm.grant(contact, client.id, "client_finance")
    with acting(contact, read=[client.id]):
        assert not Absence.objects.exists()
        with pytest.raises(DatabaseError), transaction.atomic():
            Absence.objects.create(user_id=contact.id, starts=TODAY, ends=TODAY)


# --- teams ------------------------------------------------------------------------------------------------


def test_a_team_has_people_and_clients_and_gives_no_rights(firm: Firm, client: TestClient) -> None:
    user = firm.new_user()
    with acting(firm.admin, write=firm.house_id):
        team = services.make_team(f"North {client.code}")
        services.join_team(team.team_id, user.id, starts=TODAY)
        services.serve(team.team_id, client.id, starts=TODAY)
        for again in (
            lambda: services.make_team(f"north {client.code}"),
            lambda: services.join_team(team.team_id, user.id, starts=SOON),
            lambda: services.serve(team.team_id, client.id, starts=SOON),
        ):
            with pytest.raises(Conflict):
                again()
        view = next(t for t in selectors.teams(TODAY) if t.team.id == team.team_id)
        assert [m.user_id for m in view.members] == [user.id]
        assert [s.of_client.code for s in view.servings] == [client.code]
    with pytest.raises(NotPermitted), acting(user, read=[client.id]):
        pass
    with acting(firm.admin, write=firm.house_id):
        services.leave_team(team.team_id, user.id, ends=TODAY)
        services.stop_serving(team.team_id, client.id, ends=TODAY)
        with pytest.raises(NotFound):
            services.leave_team(team.team_id, user.id, ends=TODAY)
    with client.acting("lead"), pytest.raises(NotPermitted):
        services.make_team("Elsewhere")


# --- pages ------------------------------------------------------------------------------------------------


def test_a_specialist_sees_the_people_of_their_clients_and_nobody_elses(
    client: TestClient, other_client: TestClient
) -> None:
    page = signed_in(client.staff["specialist"]).get(reverse("workforce:staff")).content.decode()
    assert client.staff["lead"].email in page and other_client.staff["lead"].email not in page
    stranger = reverse("workforce:person", args=[other_client.staff["lead"].id])
    assert signed_in(client.staff["specialist"]).get(stranger).status_code == 404


def test_the_days_of_an_absence_are_recorded_and_called_off_on_the_pages(client: TestClient) -> None:
    browser = signed_in(client.staff["specialist"])
    said = browser.post(
        reverse("workforce:away"),
        {"starts": TODAY, "ends": SOON, "stand_in": client.staff["lead"].id},
        follow=True,
    ).content.decode()
    assert "Your absence is recorded." in said
    page = browser.get(reverse("workforce:staff")).content.decode()
    assert "Away" in page and f"{_name(client, 'lead')} stands in" in page
    with client.acting("specialist"):
        row = Absence.objects.get(user_id=client.staff["specialist"].id)
    lead = signed_in(client.staff["lead"])
    called = lead.post(reverse("workforce:there", args=[client.code, row.id]), follow=True)
    assert "The absence is called off." in called.content.decode()


def test_who_only_reads_is_told_who_records_their_absence(firm: Firm, client: TestClient) -> None:
    auditor = firm.new_user()
    firm.grant(auditor, client.id, "auditor", ends=SOON)
    browser = signed_in(auditor)
    page = browser.get(reverse("workforce:staff")).content.decode()
    assert reverse("workforce:away") not in page and "records your absences" in page
    for address in (reverse("workforce:away"), reverse("workforce:back", args=[uuid7()])):
        answer = browser.post(address, {"starts": TODAY, "ends": SOON}, follow=True)
        assert "a lead or an admin records your absences" in answer.content.decode()
    with acting(firm.admin, read=[firm.house_id]):
        assert not Absence.objects.filter(user_id=auditor.id).exists()


def test_a_token_of_somebody_switched_off_before_ends_too(firm: Firm) -> None:
    user = firm.new_user()
    with acting(firm.admin, write=firm.house_id):
        access.switch_off_user(user.id, reason="left")
        token = Token.objects.create(
            user_id=user.id, sha256=uuid7().bytes * 2, label="late", expires_at=timezone.now() + timedelta(9)
        )
    assert off(firm, user).tokens == 1
    with acting(firm.admin, read=[firm.house_id]):
        assert Token.objects.get(id=token.id).revoked_at is not None


def test_an_admin_off_boards_on_the_page_and_sees_who_took_over(firm: Firm, leaver: Identity) -> None:
    browser = signed_in(firm.admin)
    address = reverse("workforce:person", args=[leaver.id])
    assert "It cannot be taken back" in browser.get(address).content.decode()
    said = browser.post(
        reverse("workforce:offboard", args=[leaver.id]),
        {"reason": "moves", "successor": firm.owner.id},
        follow=True,
    ).content.decode()
    assert f"{leaver.email} is off-boarded: 2 grants, 1 token, 0 devices and 1 team have ended" in said
    page = browser.get(address).content.decode()
    assert (
        "moves" in page
        and firm.owner.name in page
        and reverse("workforce:offboard", args=[leaver.id]) not in page
    )


def test_an_admin_makes_teams_on_the_page(firm: Firm, client: TestClient) -> None:
    browser = signed_in(firm.admin)
    name = f"Payday {client.code}"
    assert f"{name} is a team." in browser.post(
        reverse("workforce:team_make"), {"new-name": name}, follow=True
    ).content.decode()  # fmt: skip
    with acting(firm.admin, read=[firm.house_id]):
        team = next(t.team for t in selectors.teams(TODAY) if t.team.name == name)
    user = client.staff["lead"]
    browser.post(
        reverse("workforce:team_join"), {"join-team": team.id, "join-person": user.id, "join-starts": TODAY}
    )
    browser.post(
        reverse("workforce:team_serve"),
        {"serve-team": team.id, "serve-client": client.id, "serve-starts": TODAY},
    )
    page = browser.get(reverse("workforce:teams")).content.decode()
    assert name in page and user.name in page and client.code in page
    assert name in signed_in(user).get(reverse("workforce:teams")).content.decode()
