"""A month in a country made up for tests, through page, file, command line and API: nothing of it is British.

Its banks rest on Fridays, Saturdays and at harvest, its clock is fourteen hours ahead, its money is the peso,
it keeps clans and goats of people, and a payment file is handed in a day before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from django.urls import reverse
from tests.api.conftest import Caller, token_for
from tests.cli.conftest import Cli, cli  # noqa: F401  a fixture
from tests.firm import Firm, TestClient, give_token, superuser
from tests.payroll import months
from tests.payroll.months import Employee
from tests.payroll.toy import HARVEST, Toyland
from tests.web.conftest import signed_in

from engineroom.foundation import deadlines, duties
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import InputRefused
from engineroom.ledger import selectors as ledger
from engineroom.openitems import selectors as openitems
from engineroom.payroll import cut_off, items, jurisdictions, schedules, services, tax_details
from engineroom.payroll.models import TaxDetails

FARLAND = replace(Toyland(), banks=HARVEST)
PAYDAY = date(2026, 8, 27)
"""The 28th is a Friday."""
WAGES = 24_000_00
BRITISH = (
    "£",
    "GBP",
    "PAYE",
    "National Insurance",
    "NI category",
    "Tax code",
    "tax code",
    "HMRC",
    "P45",
    "Bacs",
)


@pytest.fixture
def farland(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """E1 and E2 on 2,000.00 a month, of whom nothing is said yet."""
    monkeypatch.setitem(jurisdictions._known, "xx", FARLAND)
    with superuser() as connection:
        connection.execute(
            "UPDATE foundation_client SET jurisdiction = 'xx', currency = 'PHP' WHERE id = %s", [client.id]
        )
    ids = months.people(client, Employee("E1", WAGES), Employee("E2", WAGES), tax_from="2026-01-01")
    months.monthly(client, ids, pay_day=28, cut_off_days=3)
    yield client


def stated(client: TestClient, number: str) -> list[object]:
    with client.acting():
        rows = TaxDetails.objects.filter(client_id=client.id, person__payroll_number=number)
        return list(rows.order_by("starts").values_list("stated", flat=True))


def at_page(client: TestClient, name: str, *at: object, role: str = "specialist") -> str:
    answer = signed_in(client.staff[role]).get(reverse(name, args=[client.code, *at]))
    assert answer.status_code == 200
    text = answer.content.decode()
    body = text[text.index("<main") :]
    assert not [word for word in BRITISH if word in body]
    return body


def test_a_month_is_said_paid_posted_and_read_in_its_own_terms(
    farland: TestClient,
    firm: Firm,
    cli: Cli,  # noqa: F811
) -> None:
    code, priya = farland.code, farland.staff["specialist"]
    maker = Caller(priya, token_for(firm, priya))
    give_token(firm, priya)

    # By a file, over the API: the columns are the country's, amounts in its currency.
    headings = ("payroll_number", "from_date", "clan", "relief", "herd", "share", "sworn", "elder")
    row = ("E1", "2026-08-01", "River", "₱500.00", "12", "2.5%", "2020-02-29", "yes")
    with farland.file("said.csv", headings, [row]).open("rb") as file:
        seen = maker.upload(f"/clients/{code}/imports/tax-details", file)
    assert (seen.status, seen.body["errors"]) == (200, 0), seen.body
    assert maker.post(f"/clients/{code}/import-previews/{seen.body['id']}/take").status == 200
    of_e1 = {
        "clan": "river",
        "elder": True,
        "herd": 12,
        "relief": 500_00,
        "share": 25_000,
        "sworn": "2020-02-29",
    }
    assert stated(farland, "E1") == [{}, of_e1]

    # At the command line, and what is not of this country is refused with what is.
    asked = ("payroll", "tax-set", code, "E2", "--from", "2026-08-01")
    british = cli(*asked, "--code", "1257L", who=priya.email)
    assert british.code == 2 and "Kept are clan, relief" in " ".join(british.out.split()), british
    bad = cli(*asked, "--set", "clan=sea", "--set", "relief=12x", who=priya.email)
    assert bad.code == 2 and "sea" in bad.out and "12x" in bad.out, bad
    done = cli(*asked, "--set", "clan=hill", "--set", "relief=100.00", who=priya.email)
    assert done.code == 0 and "E2 is taxed by hill from 2026-08-01" in done.out, done

    # On the page: the form is a copy of what stands, with the country's fields.
    form = at_page(farland, "payroll:tax_details", "E2")
    for words in ("Clan", "Free of tithe", "Goats", 'value="100.00"', "₱100.00", "By birth."):
        assert words in form
    where = reverse("payroll:tax_details_say", args=[code, "E2"])
    back = {"referer": f"http://127.0.0.1{reverse('payroll:tax_details', args=[code, 'E2'])}"}
    typed = {"from_date": "2026-08-10", "clan": "hill", "relief": "300.00", "herd": "lots"}
    browser = signed_in(priya)
    assert "whole number" in browser.post(where, typed, headers=back, follow=True).content.decode()
    said = browser.post(where, typed | {"herd": "3", "elder": "on"}, headers=back, follow=True)
    assert "is taxed by hill from 10 Aug 2026" in said.content.decode()
    assert stated(farland, "E2")[-1] == {"clan": "hill", "elder": True, "herd": 3, "relief": 300_00}

    # The run, over the API: a tenth of what is over 1,000.00 and each one's own relief.
    opened = maker.post(f"/clients/{code}/pay-runs", {"pay_date": "2026-08-27", "schedule": "MONTHLY"})
    run_id = UUID(opened.body["run_id"])
    assert maker.post(f"/clients/{code}/pay-runs/{run_id}/calculate").body["blockers"] == 0
    figures = months.figures(farland, run_id)
    assert {n: (f["gross"], f["tithe"], f["net_pay"]) for n, f in figures.items()} == {
        "E1": (2_000_00, 50_00, 1_950_00), "E2": (2_000_00, 70_00, 1_930_00),
    }  # fmt: skip
    [duty] = [d for d in _duties(farland) if "pay run" in d.what]
    assert (duty.amount_minor, duty.currency, duty.due) == (3_880_00, "PHP", date(2026, 8, 26))
    months.released(farland, run_id)
    with farland.acting("lead"):
        run = services.find_run(run_id)
        assert {line.currency for line in ledger.journal(subjects=[run_id])} == {"PHP"}
        assert all(check.ok for check in (*ledger.verify(), *openitems.verify()))
    for name, at in (
        ("payroll:run", [run.number]), ("payroll:payslip", [run.number, "E1"]), ("payroll:items", []),
            ("payroll:runs", []), ("payroll:schedules", []),
    ):  # fmt: skip
        shown = at_page(farland, name, *at, role="lead")
    assert "MONTHLY" in shown
    assert "₱1,950.00" in at_page(farland, "payroll:payslip", run.number, "E1", role="lead")


def _duties(client: TestClient) -> list[duties.Duty]:
    with acting(client.staff["lead"], read=[client.id]):
        return [task.duty for task in duties.tasks(date(2026, 8, 25))]


def test_days_are_those_of_its_banks_and_its_clock(farland: TestClient) -> None:
    """The 28th is a Friday, so the 27th; three banking days before it, past harvest, is a Sunday."""
    with farland.acting():
        row = schedules.find_schedule("MONTHLY")
        period = schedules.paid_on(row, PAYDAY)
        assert (period.due, period.paid, period.cut_off) == (date(2026, 8, 28), PAYDAY, date(2026, 8, 23))
        items.add_pay_item(id_of(farland, "E1"), "basic_pay", 10_00, period=date(2026, 8, 5), reason="late")
    run_id = months.open_run(farland, PAYDAY)
    with acting(farland.staff["lead"], read=[farland.id]):
        found = deadlines.between(date(2026, 8, 20), date(2026, 8, 28))
        assert [(d.day, d.kind) for d in found if d.kind != "inputs"] == [
            (date(2026, 8, 25), "approval"), (date(2026, 8, 26), "payment file"), (PAYDAY, "pay date"),
        ]  # fmt: skip
    # Ten in the morning of the 24th there, which is the evening of the 23rd in London.
    with superuser() as connection:
        connection.execute("SET session_replication_role = replica")  # as if it had been said then
        connection.execute(
            "UPDATE payroll_payitem SET added_at = '2026-08-23 20:00Z' WHERE client_id = %s", [farland.id]
        )
    with farland.acting():
        assert cut_off.items_too_late(row, period, period.cut_off) == 1
    months.calculated(farland, run_id)
    assert months.figures(farland, run_id)["E1"]["gross"] == 2_000_00


def id_of(client: TestClient, number: str) -> UUID:
    return months.Person.objects.get(client_id=client.id, payroll_number=number).counterparty_id


def test_somebody_new_declares_what_the_country_asks(farland: TestClient) -> None:
    form = at_page(farland, "payroll:starter")
    assert "Clan" in form and "statement" not in form and "ni_number" not in form
    typed = {
        "payroll_number": "N1",
        "name": "Nia New",
        "starts": "2026-08-03",
        "clan": "hill",
        "relief": "20.00",
    }
    browser = signed_in(farland.staff["specialist"])
    done = browser.post(reverse("payroll:starter_begin", args=[farland.code]), typed)
    assert done.status_code == 303 and stated(farland, "N1") == [{"clan": "hill", "relief": 20_00}]
    with farland.acting(), pytest.raises(InputRefused) as refused:
        said = {
            "clan": "sea",
            "herd": -1,
            "share": 2_000_000,
            "sworn": "soon",
            "elder": "yes",
            "tax_code": "BR",
        }
        tax_details.set_tax_details(id_of(farland, "N1"), said, starts=date(2026, 9, 1))
    assert {p.field for p in refused.value.problems} == said.keys()


def test_a_record_is_of_columns_or_a_document_and_never_both(farland: TestClient) -> None:
    with superuser() as connection, pytest.raises(Exception, match="tax_details_one_record"):
        connection.execute(
            "UPDATE payroll_taxdetails SET tax_code = 'BR', stated = %s WHERE client_id = %s",
            ['{"clan": "hill"}', farland.id],
        )
