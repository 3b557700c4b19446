"""Attachment orders as pages and files say them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest
from tests.firm import TestClient
from tests.payroll.months import Employee, calculated, figures, monthly, open_run, people, released
from tests.web.conftest import signed_in

from engineroom.kernel.errors import InputRefused
from engineroom.payroll.models import OrderTaken, PayOrder

JUNE = date(2026, 6, 25)
HEADINGS = [
    "payroll_number",
    "kind",
    "reference",
    "creditor",
    "creditor_name",
    "made_on",
    "from_date",
    "normal_deduction",
    "protected_earnings",
    "balance",
    "rate_table",
    "nation",
    "takes_fee",
    "reason",
]


def brought(client: TestClient, *rows: Sequence[object]) -> None:
    client.take("pay-orders", client.file(f"orders-{len(rows)}.csv", HEADINGS, rows))


def test_a_file_of_orders_is_taken_in_and_every_wrong_row_says_where_and_what_to_do(
    client: TestClient,
) -> None:
    ids = people(client, Employee(), Employee("E2"))
    monthly(client, ids)
    days = ("2026-05-04", "2026-06-01")
    wrong = [
        ("E9", "priority", "A1", "COURT", "Court", *days, "10", "", "", "", "", "", "x"),
        ("E1", "gold", "A2", "COURT", "Court", *days, "10", "", "", "", "", "", "x"),
        ("E1", "direct_earnings", "A3", "DWP", "DWP", *days, "", "", "", "", "", "", "x"),
        ("E1", "priority", "A4", "NOBODY", "", *days, "10", "", "", "", "", "", "x"),
        ("E1", "priority", "A5", "COURT", "Court", *days, "10", "", "", "", "", "", "x"),
        ("E1", "priority", "A5", "COURT", "Court", *days, "10", "", "", "", "", "", "x"),
    ]
    with pytest.raises(InputRefused) as refused:
        brought(client, *wrong)
    assert {(p.row, p.field) for p in refused.value.problems} == {
        (2, "payroll_number"), (3, "kind"), (4, "rate_table"), (5, "creditor_name"), (7, "reference")
    }  # fmt: skip
    with client.acting():
        assert not PayOrder.objects.filter(client_id=client.id).exists()
    brought(
        client,
        ("E1", "priority", "A1", "COURT", "Court", *days, "100", "1000.00", "", "", "", "yes", "maintenance"),
        (
            "E2",
            "direct_earnings",
            "D1",
            "DWP",
            "DWP",
            *days,
            "",
            "",
            "300.00",
            "standard",
            "",
            "",
            "a benefit",
        ),
    )
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    slips = figures(client, run_id)
    assert (slips["E1"]["priority_orders"], slips["E1"]["order_fees"]) == (100_00, 1_00)
    assert slips["E2"]["other_orders"] == 300_00
    with client.acting():
        left = OrderTaken.objects.get(client_id=client.id, order__reference="D1")
    assert left.balance == 0


def test_an_order_is_entered_varied_shown_and_ended_on_the_page(client: TestClient) -> None:
    monthly(client, people(client, Employee()))
    browser = signed_in(client.staff["specialist"])
    at = f"/c/{client.code}/attachment-orders"
    order = {
        "payroll_number": "E1", "kind": "priority", "reference": "FAM/77", "creditor": "COURT",
        "creditor_name": "The Family Court", "made_on": "2026-05-04", "starts": "2026-06-01",
        "normal_deduction": "120.00", "protected_earnings": "900.00", "takes_fee": "on",
        "reason": "order of 4 May",
    }  # fmt: skip
    refused = browser.post(
        f"{at}/do/add", {**order, "normal_deduction": "", "payroll_number": "E9"}, follow=True
    )
    assert "nobody with payroll number" in refused.content.decode()
    refused = browser.post(f"{at}/do/add", {**order, "normal_deduction": ""}, follow=True)
    assert "states its normal deduction" in refused.content.decode()
    assert browser.post(f"{at}/do/add", order).status_code == 303
    shown = browser.get(at).content.decode()
    assert "FAM/77" in shown and "normal deduction 120.00" in shown and "The Family Court" in shown
    with client.acting():
        row = PayOrder.objects.get(client_id=client.id)
    varied = {"starts": "2026-07-01", "normal_deduction": "150.00", "reason": "varied in court"}
    assert browser.post(f"{at}/{row.id}/vary", varied).status_code == 303
    with client.acting():
        now = PayOrder.objects.get(client_id=client.id, ends=None)
        assert (now.first_id, now.stated) == (row.id, {"normal_deduction": 150_00})
    ended = {"ends": "2026-12-31", "reason": "discharged"}
    assert browser.post(f"{at}/{now.id}/end", ended).status_code == 303
    with client.acting():
        assert PayOrder.objects.get(client_id=client.id, id=now.id).ends == date(2026, 12, 31)


def test_a_payslip_shows_each_order_with_why_and_the_person_shows_their_orders(client: TestClient) -> None:
    monthly(client, people(client, Employee()))
    days = ("2026-05-04", "2026-06-01")
    brought(
        client,
        ("E1", "priority", "FAM/77", "COURT", "Family Court", *days, "100", "1000", "", "", "", "", "family"),
        ("E1", "council_tax", "CT/9", "LEEDS", "Leeds Council", *days, "", "", "", "", "england", "", "tax"),
    )
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    released(client, run_id)
    browser = signed_in(client.staff["lead"])
    slip = browser.get(f"/c/{client.code}/runs/1/E1").content.decode()
    assert "Attachment of earnings (priority) FAM/77, Family Court" in slip
    assert "Council tax CT/9, Leeds Council" in slip
    assert 'href="#why-orders"' in slip and "Order 1, Council tax: asked for" in slip
    person = browser.get(f"/c/{client.code}/people/E1").content.decode()
    assert "CT/9" in person and "Family Court" in person
