"""A floor under rates: refused below it wherever they are entered, unless somebody else allowed them."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

import psycopg
import pytest
from django.urls import reverse

from engineroom.billing import margin
from engineroom.kernel.errors import Conflict, InputRefused
from engineroom.timesheets import rates
from tests.firm import Temp, TestClient, connect, enter, set_up
from tests.web.conftest import signed_in

DAY = date(2026, 1, 5)


@pytest.fixture
def floored(client: TestClient) -> TestClient:
    set_up(client, [Temp("T1")])
    with client.acting("lead"):
        margin.set_margin_floor(DAY, 100_000, reason="the owner says so")
    return client


@pytest.mark.behaviour("BILL-02")
def test_a_rate_below_the_floor_waits_for_somebody_else_to_allow_it(floored: TestClient) -> None:
    with floored.acting("lead"):
        agreement = rates.add_agreement("ACME", "AG-1").agreement_id
        with pytest.raises(InputRefused, match="leaves") as refused:
            rates.add_rate_card(agreement, "Cook", DAY, pay_rate=15_00, bill_rate=20_00)
        least = margin.quote(15_00, 20_00, DAY).least_bill
        assert least and f"Bill {least / 100:.2f} at least" in str(refused.value)
        card = rates.add_rate_card(agreement, "Cook", DAY, pay_rate=15_00, bill_rate=least).card_id
        preview = rates.preview_edit(card, rates.Terms(15_00, least - 1))
        edit = dict(vars(preview.after), content_hash=preview.content_hash, reason="cheaper")
        with pytest.raises(InputRefused, match="the floor is 10%"):
            rates.edit_rate_card(card, **edit)
        margin.allow_below_floor("ACME", "Cook", 15_00, least - 1, reason="to win them")
        with pytest.raises(InputRefused, match="the floor is 10%"):
            rates.edit_rate_card(card, **edit)  # who allowed it does not enter it
    with floored.acting():
        assert rates.edit_rate_card(card, **edit).revision == 2
    headings = ("customer", "agreement", "role", "from_date", "pay_rate", "bill_rate")
    with pytest.raises(InputRefused, match=r"row 2, bill_rate: 19\.00 leaves"):
        rows = [("ACME", "AG-2", "Cook", "2026-02-02", "15", "19")]
        floored.take("rate-cards", floored.file("cards.csv", headings, rows))
    headings = ("assignment", "payroll_number", "customer", "role", "start_date", "pay_rate", "bill_rate")
    with pytest.raises(InputRefused, match=r"row 2, bill_rate: 19\.00 leaves"):
        rows = [("A2", "T1", "ACME", "Cook", "2026-02-02", "15", "19")]
        floored.take("assignments", floored.file("assignments.csv", headings, rows))


def test_floors_follow_each_other_and_the_database_knows_who_said_so(floored: TestClient) -> None:
    with floored.acting("checker"):
        with pytest.raises(Conflict, match="begins on 2026-01-05 already"):
            margin.set_margin_floor(DAY, 0, reason="none")
        margin.set_margin_floor(date(2027, 1, 1), 120_000, with_levy=True, reason="dearer")
        assert [f.ends for f in margin.floors()] == [None, date(2026, 12, 31)]
    user = floored.staff["specialist"]
    with connect() as db:
        enter(db, user, write=floored.id)
        floor = (
            "INSERT INTO billing_marginfloor (id, client_id, starts, floor_ppm, week_minutes, with_levy, "
            "reason, by_user_id) VALUES (%s, %s, %s, 0, 60, false, 'x', gen_random_uuid())"
        )
        with pytest.raises(psycopg.errors.ExclusionViolation), db.transaction():
            db.execute(floor, [uuid4(), floored.id, date(2028, 1, 1)])
        with pytest.raises(psycopg.errors.InsufficientPrivilege), db.transaction():
            db.execute("UPDATE billing_marginfloor SET floor_ppm = 0")
        db.execute(
            "INSERT INTO billing_belowfloor (id, client_id, customer_id, role, pay_rate, bill_rate, reason, "
            "by_user_id) SELECT %s, client_id, customer_id, 'Cook', 1, 1, 'x', gen_random_uuid() "
            "FROM timesheets_assignment",
            [uuid4()],
        )
        assert db.execute("SELECT by_user_id FROM billing_belowfloor").fetchone() == (user.id,)


def test_the_page_works_out_the_third_and_says_by_what_law(floored: TestClient) -> None:
    browser = signed_in(floored.staff["lead"])
    where = reverse("billing:quote", args=[floored.code])
    asked = {"pay": "15", "markup": "40%", "week_minutes": "40", "day": "2026-11-27"}
    page = browser.get(where, asked).content.decode()
    assert "£21.00" in page and "below the floor" in page and "SI 2026/231" in page
    assert "64.55" in page and "Not explained" not in page
    assert "give two of pay" in browser.get(where, {**asked, "bill": "21"}).content.decode().lower()
    assert "no version for 2090" in browser.get(where, {**asked, "day": "2090-01-01"}).content.decode()
    later = (DAY + timedelta(days=900)).isoformat()
    form = {
        "floor-starts": later, "floor-floor": "8%", "floor-week_minutes": "37.5", "floor-reason": "so",
        "form_key": "1",
    }  # fmt: skip
    assert "leaves 8% at least" in browser.post(f"{where}/floor", form, follow=True).content.decode()
    form = {
        "allow-customer": "ACME", "allow-role": "Cook", "allow-pay_rate": "15", "allow-bill_rate": "20",
        "allow-reason": "to win them", "form_key": "2",
    }  # fmt: skip
    page = browser.post(f"{where}/allow", form, follow=True).content.decode()
    assert "Allowed below the floor" in page and "to win them" in page
