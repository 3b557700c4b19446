"""The margin: every penny of it is the ledger's, however it is looked at."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta

from django.urls import reverse

from engineroom.billing import margins
from engineroom.ledger import selectors as ledger
from tests.firm import PAY_DATE, Temp, TestClient, run_payday, set_up
from tests.web.conftest import signed_in

FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)
TEMPS = [
    Temp("T1", hours=("9", "9", "9", "9", "9"), pension="relief_at_source"),
    Temp("T2", "Al", customer="BETA", pay_rate="13.37", bill_rate="17.77"),
    Temp("T1", customer="BETA", hours=("1:07", "2:11"), bill_rate="19.99"),
    Temp("T3", "Bo", customer="CELLO", status="disputed", hours=("7.5",)),
]


def test_the_margin_is_the_ledgers_by_customer_by_assignment_and_by_month(client: TestClient) -> None:
    set_up(client, TEMPS)
    run_payday(client, TEMPS)
    second = PAY_DATE + timedelta(days=7)
    run_payday(client, TEMPS[1:2], second)
    with client.acting("bookkeeper"):
        posted = {b.code: b.balance for b in ledger.trial_balance()}
        found = {by: margins.margins(FIRST, LAST, by=by, currency="GBP") for by in margins.BYS}
    on_costs = sum(posted.get(code, 0) for code in ("5010", "5020", "5030"))
    assert on_costs > 0
    for rows in found.values():
        all_of_it = margins.total(rows, FIRST)
        assert (all_of_it.income, all_of_it.wages, all_of_it.on_costs) == (
            -posted["4000"],
            posted["5000"],
            on_costs,
        )
        assert all_of_it.minutes == (45 + 40 + 40 + 7.5) * 60 + 67 + 131
    of = {row.customer_code: row for row in found["customer"]}
    assert of["CELLO"].income == 0 and of["CELLO"].after < 0 and of["CELLO"].share_words == ""
    assert of["ACME"].income == 47_5 * 21_0 and of["ACME"].wages == 47_5 * 15_0
    split = [row for row in found["assignment"] if row.customer_code == "BETA"]
    assert {row.assignment for row in split} == {"T1-BETA", "T2-BETA"}
    for side in ("income", "wages", "on_costs", "minutes"):
        assert sum(getattr(row, side) for row in split) == getattr(of["BETA"], side)
    assert [row.month for row in found["month"]] == [date(2026, 11, 1), date(2026, 12, 1)]
    where = reverse("billing:margin", args=[client.code])
    asked = {"since": "2026-01-01", "until": "2026-12-31", "by": "assignment"}
    browser = signed_in(client.staff["lead"])
    page = browser.get(where, asked).content.decode()
    assert "T2-BETA" in page and "Left after on-costs, by assignment" in page
    file = browser.get(f"{where}/file", asked).content.decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(file)))
    total = sum(round(float(line["after_on_costs"]) * 100) for line in lines)
    assert total == margins.total(found["customer"], FIRST).after
    wrong = browser.get(where, {**asked, "until": "2025-01-01"})
    assert wrong.status_code == 422 and "ends before it begins" in wrong.content.decode()


def test_a_client_without_invoices_is_told_what_will_be_here(client: TestClient) -> None:
    page = signed_in(client.staff["lead"]).get(reverse("billing:margin", args=[client.code])).content.decode()
    assert "No margin in this period" in page
