"""Pages of people: found by name or number; private data in dots until it is asked for and allowed."""

from __future__ import annotations

from datetime import date

import pytest
from django.urls import reverse
from tests.firm import Temp, hours_file, set_up
from tests.web.conftest import signed_in

from engineroom.foundation.audit.models import AuditEvent
from engineroom.people import selectors

TEMPS = [Temp("T1", "Jo Bloggs", account="12345678"), Temp("T2", "Åsa Lund", account="87654321")]


@pytest.fixture
def staffed(client):
    set_up(client, TEMPS)
    client.take("timesheets", hours_file(client, TEMPS))
    return client


def seen(client, role: str, name: str, *args, **asked):
    return signed_in(client.staff[role]).get(reverse(name, args=[client.code, *args]), asked)


@pytest.mark.parametrize(
    ("text", "found"), [("", {"T1", "T2"}), ("blog", {"T1"}), ("åSA", {"T2"}), ("t2", {"T2"}), ("zz", set())]
)
def test_people_are_found_by_part_of_a_name_or_the_beginning_of_a_number(staffed, text, found):
    with staffed.acting():
        assert {row.payroll_number for row in selectors.people(text=text).rows} == found
    page = seen(staffed, "checker", "people:list", q=text).content.decode()
    for number in ("T1", "T2"):
        assert (f"<small>{number}</small>" in page) == (number in found)
    assert ("Filtered:" in page) == bool(text and found)


def test_a_client_without_people_is_told_the_first_step(client):
    page = seen(client, "specialist", "people:list").content.decode()
    assert "Nobody yet" in page and reverse("imports", args=[client.code]) in page


@pytest.mark.behaviour("PRIV-01", part="masking")
def test_a_person_shows_what_is_dated_and_bank_details_in_dots(staffed):
    page = seen(staffed, "specialist", "people:person", "T1").content.decode()
    assert "Employment begins" in page and "••••" in page and "12345678" not in page
    assert "T1-ACME" in page and "40.00" in page


def test_bank_details_open_when_asked_for_and_the_read_is_logged(staffed):
    page = seen(staffed, "specialist", "people:person", "T1", show="bank").content.decode()
    assert "12345678" in page and "200000" in page
    with staffed.acting():
        reads = AuditEvent.objects.filter(subject_kind="people.bankaccount")
        assert {e.detail["column"].rpartition(".")[2] for e in reads} == {"sort_code", "account_number"}
        assert AuditEvent.objects.filter(subject_kind="person", detail__bank=True).count() == 1


@pytest.mark.behaviour("PRIV-01", part="masking")
def test_masked_classes_stay_dots_whatever_is_asked(firm, staffed):
    auditor = firm.new_user()
    firm.grant(auditor, staffed.id, "auditor", ends=date(2099, 1, 1))
    where = reverse("people:person", args=[staffed.code, "T1"])
    page = signed_in(auditor).get(where, {"show": "bank"}).content.decode()
    assert "12345678" not in page and "Bank data is dots" in page and "Show bank details" not in page


def test_nobody_of_that_number_and_nobody_of_another_client(staffed, other_client):
    assert seen(staffed, "lead", "people:person", "T7").status_code == 404
    assert seen(other_client, "lead", "people:person", "T1").status_code == 404
    stranger = signed_in(other_client.staff["lead"])
    assert stranger.get(reverse("people:person", args=[staffed.code, "T1"])).status_code == 404


def test_an_admin_reads_no_clients_people(firm, staffed):
    admin = firm.new_user()
    firm.grant(admin, staffed.id, "admin")
    answer = signed_in(admin).get(reverse("people:list", args=[staffed.code]))
    assert answer.status_code == 403 and "people.read" in answer.content.decode()
