"""Orders: limits are hard, an hour is split at them, and what no order bears is held and lost by nobody."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.firm import MONDAY, PAY_DATE, WEEK_ENDS, Firm, Temp, TestClient, hours_file, run_payday, set_up
from tests.web.conftest import signed_in

from engineroom.billing import selectors as billing
from engineroom.billing.models import Invoice
from engineroom.kernel.errors import Conflict, InputRefused
from engineroom.kernel.rounding import half_up
from engineroom.timesheets import orders, rates
from engineroom.timesheets.models import Assignment, PurchaseOrder
from engineroom.ui.fields import minutes_of

WEEK = timedelta(days=7)
HEADINGS = ("customer", "order_number", "from_date", "until_date", "limit_amount", "limit_hours", "continues")

CHARGES = """
SELECT e.day, o.number, c.minutes, c.bill_amount, h.reason FROM timesheets_charge c
JOIN timesheets_timeentry e ON e.id = c.time_entry_id
LEFT JOIN timesheets_purchaseorder o ON o.id = c.order_id LEFT JOIN timesheets_hold h ON h.id = c.id
WHERE c.client_id = %s ORDER BY e.day, h.reason NULLS FIRST, o.number
"""


def charges(client: TestClient) -> list[Any]:
    with client.acting(), connection.cursor() as cursor:
        cursor.execute(CHARGES, [client.id])
        return [(row[0].day, *row[1:]) for row in cursor.fetchall()]


def two_orders(client: TestClient, first: tuple[str, str], second: tuple[str, str]) -> None:
    """PO-1 and PO-2, which continues it: each (money, hours)."""
    rows = [
        ("ACME", "PO-2", "2026-01-01", "", *second, "PO-1"),
        ("ACME", "PO-1", "2026-01-01", "", *first, ""),
    ]
    client.take("orders", client.file("orders-2.csv", HEADINGS, rows))


@pytest.mark.behaviour("BILL-03")
def test_an_hour_beyond_the_limit_is_split_across_the_next_order_and_the_rest_is_held(
    client: TestClient,
) -> None:
    """37.5 hours in five days at 21.00: PO-1 holds ten hours, PO-2 300.00, which is 14 h 17 and 6 pennies."""
    temps = [Temp("T1", order="PO-1", hours=("7.5",) * 5)]
    set_up(client, temps, [("ACME", "PO-1", "2026-01-01", "", "", "10")])
    two_orders(client, ("", "10"), ("300", ""))
    run_payday(client, temps)
    assert charges(client) == [
        (16, "PO-1", 450, 157_50, None),
        (17, "PO-1", 150, 52_50, None),
        (17, "PO-2", 300, 105_00, None),
        (18, "PO-2", 450, 157_50, None),
        (19, "PO-2", 107, 37_45, None),
        (19, None, 343, 120_05, "over_order"),
        (20, None, 450, 157_50, "over_order"),
    ]
    with client.acting():
        invoiced = Invoice.objects.filter(client_id=client.id).order_by("order_number")
        assert [(i.order_number, i.net) for i in invoiced] == [("PO-1", 210_00), ("PO-2", 299_95)]
        assert billing.reconcile().ok
        later = PurchaseOrder.objects.create(
            client_id=client.id, customer=invoiced[0].customer, number="PO-3", starts=MONDAY,
            limit_minutes=400,
            continues=PurchaseOrder.objects.get(client_id=client.id, number="PO-2"),
        )  # fmt: skip
        done = orders.cover_held(later.id)
        assert (done.charges, done.amount, done.left) == (1, 120_05, 1)
        with pytest.raises(Conflict, match="covers nothing"):
            orders.cover_held(later.id)
        [draft] = billing.drafts(WEEK_ENDS, PAY_DATE)
        assert (draft.order_number, draft.net) == ("PO-3", 120_05)
        assert orders.burn(later.id).committed_minutes == 343


@pytest.mark.behaviour("BILL-03")
@settings(max_examples=4, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(
    hours=st.lists(st.sampled_from(["0:07", "3:20", "7.5", "11:41"]), min_size=2, max_size=3),
    limits=st.tuples(
        *[st.tuples(st.sampled_from(["", "33.33", "210"]), st.sampled_from(["", "4", "9:31"]))] * 2
    ),
    rate=st.sampled_from(["20.01", "33.33"]),
)
def test_no_order_bears_more_than_its_limit_and_no_minute_is_lost(
    firm: Firm, hours: list[str], limits: Any, rate: str
) -> None:
    client = firm.new_client(with_books=False)
    temps = [
        Temp("T1", order="PO-1", hours=hours, bill_rate=rate),
        Temp("T2", "Al", order="PO-1", hours=hours[::-1], bill_rate="17.99"),
    ]
    set_up(client, temps, [("ACME", "PO-1", "2026-01-01", "", "", "")])
    two_orders(client, *limits)
    client.take("timesheets", hours_file(client, temps))
    rows = charges(client)
    with client.acting():
        for order in PurchaseOrder.objects.filter(client_id=client.id):
            minor, minutes = orders.order_use(order.id)
            assert minor == sum(r[3] for r in rows if r[1] == order.number and not r[4])
            assert order.limit_minor is None or minor <= order.limit_minor
            assert order.limit_minutes is None or minutes <= order.limit_minutes
    for column, each_rate in ((2, (60, 60)), (3, (int(Decimal(rate) * 100), 17_99))):
        worked = sum(minutes_of(h) or 0 for h in hours)
        assert sum(r[column] for r in rows) == sum(half_up(worked * each, 60) for each in each_rate)


def test_the_burn_down_says_used_left_and_how_long_it_lasts(client: TestClient) -> None:
    """40 hours a week of 100: after two weeks 20 are left, which is half a week."""
    temps = [Temp("T1", order="PO-1")]
    set_up(client, temps, [("ACME", "PO-1", "2026-01-01", "", "", "100")])
    run_payday(client, temps)
    client.take("timesheets", hours_file(client, temps, MONDAY + WEEK, "second.csv"))
    browser = signed_in(client.staff["specialist"])
    with client.acting():
        [found] = orders.orders()
    assert (found.billed_minutes, found.committed_minutes, found.left_minutes) == (2400, 2400, 1200)
    assert found.forecast == WEEK_ENDS + 2 * WEEK and found.state[1] == "Open"
    listed = browser.get(reverse("timesheets:orders", args=[client.code])).content.decode()
    where = reverse("timesheets:order", args=[client.code, found.row.id])
    assert where in listed and "£840.00" in listed
    page = browser.get(where).content.decode()
    assert "Minutes left, week by week" in page and "Lasts until" in page
    from_here = {"referer": f"http://127.0.0.1{where}"}
    refused = browser.post(
        f"{where}/cover", {"form_key": "1"}, headers=from_here, follow=True
    ).content.decode()
    assert "covers nothing that is held" in refused


def test_an_order_that_continues_itself_or_one_that_goes_on_already_is_refused(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    one = ("ACME", "PO-1", "2026-01-01", "", "", "5")
    for rows, said in (
        ([(*one, "PO-1")], "continues itself"),
        ([(*one, "PO-9")], "has no order 'PO-9'"),
        (
            [(*one, ""), ("ACME", "PO-2", *one[2:], "PO-1"), ("ACME", "PO-3", *one[2:], "PO-1")],
            "two orders continue",
        ),
        ([(*one, "PO-2"), ("ACME", "PO-2", *one[2:], "PO-1")], "in a circle"),
    ):
        with pytest.raises(InputRefused, match=said):
            client.take("orders", client.file("orders.csv", HEADINGS, rows))


@pytest.mark.behaviour("BILL-03")
def test_an_edit_of_a_rate_card_does_not_take_an_order_beyond_its_limit(client: TestClient) -> None:
    """40 hours at 21.00 are 840.00 of 850.00; at 22.00 they would be 880.00."""
    temps = [Temp("T1", order="PO-1")]
    set_up(client, temps, [("ACME", "PO-1", "2026-01-01", "", "850", "")])
    with client.acting():
        agreement = rates.add_agreement("ACME", "AG-1").agreement_id
        card = rates.add_rate_card(agreement, "Operative", MONDAY, pay_rate=15_00, bill_rate=21_00).card_id
        rates.follow_agreement(Assignment.objects.get(client_id=client.id).id, agreement, MONDAY)
    client.take("timesheets", hours_file(client, temps))
    with client.acting(), pytest.raises(Conflict, match=r"PO-1 would bear 880\.00, and its limit is 850\.00"):
        seen = rates.preview_edit(card, rates.Terms(15_00, 22_00))
        rates.edit_rate_card(card, **vars(seen.after), content_hash=seen.content_hash, reason="dearer")
    assert sum(row[3] for row in charges(client)) == 840_00
