"""Why a payslip differs from the person's last, from the inputs of both, never guessed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.firm import PAY_DATE, Temp, TestClient, hours_file, run_payday, set_up
from tests.web.conftest import signed_in

from engineroom.foundation.tenancy.scope import acting
from engineroom.payday import steps
from engineroom.payroll import explained, selectors
from engineroom.payroll.engine.gb import gross_to_net as gb
from engineroom.payroll.explained import PersonVariance, hours_in_words

WEEK = timedelta(days=7)
TEMPS = [
    Temp("T1", "Jo Bloggs", loan="2", pay_rate="20.00", bill_rate="30.00"),
    Temp("T2", "Al Smith"),
    Temp("T3", "Cy Gone"),
]
NEXT = [
    Temp("T1", "Jo Bloggs", hours=("10", "10", "10", "10", "8"), pay_rate="20.00", bill_rate="30.00"),
    Temp("T2", "Al Smith"),
    Temp("T4", "Di New"),
]


@pytest.fixture(scope="module")
def changed(firm) -> TestClient:  # type: ignore[no-untyped-def]
    """A week later: T1 works overtime and has no loan any more, T3 does not come, T4 does."""
    client: TestClient = firm.new_client()
    set_up(client, [*TEMPS, NEXT[2]])
    run_payday(client, TEMPS)
    headings = ("payroll_number", "from_date", "tax_code", "basis", "ni_category", "student_loan_plan")
    row = ("T1", "2026-12-01", "1257L", "cumulative", "A", "")
    client.take("tax-details", client.file("later.csv", headings, [row]))
    client.take("timesheets", hours_file(client, NEXT, PAY_DATE + WEEK - timedelta(days=11), "next.csv"))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE + WEEK)
    return client


def everybody(client: TestClient) -> dict[str, PersonVariance]:
    with acting(client.staff["lead"], read=[client.id]):
        run = selectors.run_numbered(2)
        assert run is not None
        people = [row.person_id for row in explained.listed(run).rows]
        return {one.payroll_number: one for one in explained.explain_people(run, people, "GBP")}


def test_a_change_is_told_by_the_inputs_that_made_it(changed: TestClient) -> None:
    one = everybody(changed)["T1"]
    gross = one.in_words("gross", "GBP")
    assert gross == "+240.00: 8.00 h more overtime"
    loan = one.in_words("student_loan", "GBP")
    assert "student loan of plan 2 finished" in loan
    net = one.in_words("net_pay", "GBP")
    assert "8.00 h more overtime" in net and "student loan of plan 2 finished" in net
    assert "not explained" not in net


@pytest.mark.behaviour("PAY-10", part="variance in words, from the inputs")
def test_of_everybody_and_every_element_the_parts_add_up(changed: TestClient) -> None:
    for one in everybody(changed).values():
        for element in gb.ELEMENTS:
            parts = sum(part.moved.get(element.code, 0) for part in one.parts)
            assert parts == one.change(element.code), (one.payroll_number, element.code)


def test_who_came_and_who_went_is_all_change(changed: TestClient) -> None:
    found = everybody(changed)
    assert set(found) == {"T1", "T2", "T3", "T4"}
    assert not found["T3"].is_in_run and found["T3"].change("net_pay") == -found["T3"].before["net_pay"]
    assert found["T4"].before_run is None and "none of the runs before" in found["T4"].in_words(
        "net_pay", "GBP"
    )


def test_the_largest_change_is_listed_first(changed: TestClient) -> None:
    with acting(changed.staff["lead"], read=[changed.id]):
        run = selectors.run_numbered(2)
        rows = explained.listed(run).rows
    sizes = [abs(row.change) for row in rows]
    assert sizes == sorted(sizes, reverse=True) == [row.size for row in rows]


def test_pages_and_programs_say_the_same(changed: TestClient) -> None:
    words = everybody(changed)["T1"].in_words("net_pay", "GBP")
    browser = signed_in(changed.staff["lead"])
    listed = browser.get(f"/c/{changed.code}/runs/2/do/variance").content.decode()
    assert words in listed and "Cy Gone" in listed
    page = browser.get(f"/c/{changed.code}/runs/2/do/variance/T1").content.decode()
    assert words in page and "<svg" in page and "8.00 h more overtime" in page
    assert browser.get(f"/c/{changed.code}/runs/2/do/variance/NOBODY").status_code == 404


@pytest.mark.parametrize(
    ("was", "is_", "words"),
    [
        ({1500: 600}, {1500: 660}, "1.00 h more basic"),
        ({1500: 600}, {1600: 600}, "basic hours at 16.00, were at 15.00"),
        ({1500: 600}, {1600: 540}, "1.00 h less basic, basic hours at 16.00, were at 15.00"),
        ({}, {1600: 60}, "1.00 h more basic"),
        ({1500: 60, 1600: 60}, {1500: 30, 1600: 90}, "basic hours spread otherwise over 15.00 and 16.00"),
        ({1500: 60}, {1500: 60}, ""),
    ],
)
def test_hours_are_told_as_what_changed_of_them(was: Any, is_: Any, words: str) -> None:
    assert hours_in_words("basic", was, is_, "GBP") == words
