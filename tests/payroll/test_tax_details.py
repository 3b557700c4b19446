"""How one person is taxed, said on a page, at the command line and by other rooms; and what is refused."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from tests.firm import TestClient
from tests.payroll import months
from tests.payroll.months import Employee
from tests.web.conftest import signed_in

from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import InputRefused, NotFound, NotPermitted
from engineroom.kernel.ids import uuid7
from engineroom.payroll import tax_details
from engineroom.payroll.models import TaxDetails
from engineroom.ui.fields import PercentField

JULY, AUGUST = date(2026, 7, 24), date(2026, 8, 25)
PLAIN: dict[str, object] = {"tax_code": "1257L", "ni_category": "A"}


@pytest.fixture
def person(client: TestClient) -> UUID:
    """E1, taxed by 1257L since January and paid for June."""
    ids = months.people(client, Employee())
    months.monthly(client, ids)
    months.paid(client, date(2026, 6, 25))
    return ids["E1"]


def rows_of(client: TestClient, person: UUID) -> list[tuple[date, date | None, str]]:
    with client.acting():
        mine = TaxDetails.objects.filter(client_id=client.id, person_id=person).order_by("starts")
        return list(mine.values_list("starts", "ends", "tax_code"))


def page(client: TestClient, role: str = "specialist") -> str:
    answer = signed_in(client.staff[role]).get(reverse("payroll:tax_details", args=[client.code, "E1"]))
    assert answer.status_code == 200
    return answer.content.decode()


def post(client: TestClient, **form: str):  # type: ignore[no-untyped-def]
    where = reverse("payroll:tax_details_say", args=[client.code, "E1"])
    back = reverse("payroll:tax_details", args=[client.code, "E1"])
    browser = signed_in(client.staff["specialist"])
    return browser.post(where, form, headers={"referer": f"http://127.0.0.1{back}"}, follow=True)


def test_a_new_code_holds_from_its_day_and_the_next_run_goes_by_it(client: TestClient, person: UUID) -> None:
    assert 'value="1257L"' in page(client), "the form begins as a copy of what stands"
    said = {"from_date": "2026-07-01", "tax_code": "br", "basis": "week1", "ni_category": "A"}
    answer = post(client, **said)
    assert "is taxed by BR from 1 Jul 2026" in answer.content.decode()
    assert rows_of(client, person) == [
        (date(2026, 1, 1), date(2026, 6, 30), "1257L"),
        (date(2026, 7, 1), None, "BR"),
    ]
    assert months.paid(client, JULY)["E1"]["paye"] == 600_00  # a fifth of 3,000.00
    shown = page(client, "lead")
    assert "1257L" in shown and "BR" in shown and "week 1" in shown


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_said(client: TestClient, person: UUID) -> None:
    before = rows_of(client, person)
    wrong = {
        "from_date": "2026-01-01", "tax_code": "ABC", "ni_category": "A", "pension_relief": "net_pay",
        "director_weeks": "60",
    }  # fmt: skip
    shown = post(client, **wrong).content.decode()
    for words in (
        "Details from 2026-01-01 stand already",
        "is not a tax code",
        "The pension has no employee percentage",
        "60 is not a number of weeks of a year",
    ):
        assert words in shown
    assert 'value="ABC"' in shown, "what was typed is still there"
    assert "is no percentage" in post(client, **wrong | {"pension_employee": "a lot"}).content.decode()
    assert rows_of(client, person) == before


def test_what_a_list_does_not_have_is_refused_of_programs_too(client: TestClient, person: UUID) -> None:
    said = {
        "tax_code": "1257L", "ni_category": "Q", "student_loan_plan": "9", "pension_relief": "magic",
        "pension_employee": 2_000_000, "director": "boss", "previous_pay": -1, "shoe_size": 44,
    }  # fmt: skip
    with client.acting(), pytest.raises(InputRefused) as refused:
        tax_details.set_tax_details(person, said, starts=JULY)
    fields = {problem.field for problem in refused.value.problems}
    assert fields == {
        "ni_category", "student_loan_plan", "pension_relief", "director", "previous_pay", "pension_employee",
        "shoe_size",
    }  # fmt: skip
    with client.acting(), pytest.raises(NotFound):
        tax_details.set_tax_details(uuid7(), PLAIN, starts=JULY)
    with client.acting("bookkeeper"), pytest.raises(NotPermitted):
        tax_details.set_tax_details(person, PLAIN, starts=JULY)


def test_nobody_says_them_of_another_clients_person(
    client: TestClient, other_client: TestClient, person: UUID
) -> None:
    user = client.staff["specialist"]
    with acting(other_client.staff["specialist"], write=other_client.id), pytest.raises(NotFound):
        tax_details.set_tax_details(person, PLAIN, starts=JULY)
    asked = signed_in(user).get(reverse("payroll:tax_details", args=[other_client.code, "E1"]))
    assert asked.status_code == 404


def test_what_stands_is_said_again_without_figures_of_another_tax_year(
    client: TestClient, person: UUID
) -> None:
    earlier = PLAIN | {
        "pension_relief": "net_pay", "pension_employee": 50_000, "director_weeks": 30,
        "previous_pay": 500_000, "previous_tax": 40_000,
    }  # fmt: skip
    with client.acting():
        tax_details.set_tax_details(person, earlier, starts=JULY)
        assert tax_details.standing(person, AUGUST) == earlier | {
            "basis": "cumulative",
            "pension_employer": 0,
        }
        next_year = tax_details.standing(person, date(2027, 4, 6))
        assert next_year == PLAIN | {
            "basis": "cumulative", "pension_relief": "net_pay", "pension_employee": 50_000,
            "pension_employer": 0,
        }  # fmt: skip


@given(st.integers(min_value=0, max_value=1_000_000))
def test_a_percentage_comes_back_as_it_was_written(share: int) -> None:
    field = PercentField()
    assert field.clean(field.prepare_value(share)) == share


@given(st.text(max_size=12))
def test_whatever_is_typed_is_a_share_of_pay_or_refused_in_words(text: str) -> None:
    from django.core.exceptions import ValidationError

    try:
        found = PercentField(required=False).clean(text)
    except ValidationError:
        return
    assert found is None or 0 <= found <= 1_000_000
