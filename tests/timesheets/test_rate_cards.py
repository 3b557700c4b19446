"""Rate cards: an edit values hours anew, a new version does not; what PostgreSQL refuses whoever asks."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection
from django.urls import reverse
from tests.firm import (
    MONDAY,
    PAY_DATE,
    Temp,
    TestClient,
    connect,
    enter,
    hours_file,
    run_payday,
    set_up,
)
from tests.web.conftest import signed_in

from engineroom.billing import services as billing
from engineroom.foundation.approvals.services import ContentChanged, MakerIsNotChecker
from engineroom.kernel.errors import Conflict, InputRefused
from engineroom.payroll.retro import back_pay
from engineroom.timesheets import rates
from engineroom.timesheets.models import Assignment, ChargeBefore, RateCard

TEMPS = [Temp("T1"), Temp("T2", "Al Green", hours=("9", "9", "9", "9", "9"))]
STARTS = date(2026, 1, 5)
TERMS = rates.Terms(15_00, 21_00)
DEARER = rates.Terms(16_00, 23_00)
WEEK = timedelta(days=7)

VALUES = """
SELECT t.week_ending, sum(c.pay_amount)::bigint, sum(c.bill_amount)::bigint FROM timesheets_charge c
JOIN timesheets_timeentry e ON e.id = c.time_entry_id JOIN timesheets_timesheet t ON t.id = e.timesheet_id
WHERE c.client_id = %s GROUP BY t.week_ending ORDER BY t.week_ending
"""


def values(client: TestClient) -> list[tuple[int, int]]:
    """(pay, bill) of every week."""
    with client.acting(), connection.cursor() as cursor:
        cursor.execute(VALUES, [client.id])
        return [row[1:] for row in cursor.fetchall()]


def agreed(client: TestClient) -> rates.CardAdded:
    """Two people who follow an agreement's card from their first day."""
    set_up(client, TEMPS)
    with client.acting():
        agreement = rates.add_agreement("ACME", "AG-1").agreement_id
        card = rates.add_rate_card(agreement, "Operative", STARTS, **asdict(TERMS))
        for row in Assignment.objects.filter(client_id=client.id):
            rates.follow_agreement(row.id, agreement, STARTS)
    return card


def agreement_of(client: TestClient, card_id: UUID) -> UUID:
    with client.acting():
        return rates.card_of(card_id).agreement_id


def edited(
    client: TestClient, card_id: UUID, terms: rates.Terms, role: str = "specialist"
) -> rates.CardEdited:
    with client.acting(role):
        seen = rates.preview_edit(card_id, terms).content_hash
        return rates.edit_rate_card(card_id, content_hash=seen, reason="a slip", **asdict(terms))


def take(client: TestClient, monday: date = MONDAY) -> None:
    client.take("timesheets", hours_file(client, TEMPS, monday, f"hours-{monday}.csv"))


@pytest.mark.behaviour("BILL-01")
def test_an_edit_values_anew_what_is_neither_paid_nor_billed_and_lists_the_rest(client: TestClient) -> None:
    """85 hours a week, 5 of them overtime: 87.5 basic ones. The first week is paid and billed."""
    card = agreed(client)
    run_payday(client, TEMPS)
    take(client, MONDAY + WEEK)
    was, dearer = (87_5 * 15_0, 87_5 * 21_0), (87_5 * 16_0, 87_5 * 23_0)
    assert values(client) == [was, was]
    with client.acting():
        preview = rates.preview_edit(card.card_id, DEARER)
        assert (
            (preview.pay_moves, preview.bill_moves)
            == (87_50, 175_00)
            == (preview.pay_stays, preview.bill_stays)
        )
        with pytest.raises(ContentChanged):
            rates.edit_rate_card(card.card_id, content_hash="0" * 64, reason="a slip", **asdict(DEARER))
    done = edited(client, card.card_id, DEARER)
    assert (done.moved, done.stays) == (11, 11)
    assert values(client) == [was, dearer]
    with client.acting():
        left = rates.not_settled(card.card_id)
        assert {(r.run, r.invoice) for r in left} == {(1, "INV-000001")}
        assert back_pay().total == sum(r.pay_change for r in left) == 87_50
        assert ChargeBefore.objects.filter(client_id=client.id).count() == 11
        assert rates.preview_edit(card.card_id, DEARER).rows == tuple(left)
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        _write_terms(db, client, card.card_id, 3)
        for side, refusal in (("bill", "is on an invoice"), ("pay", "is in a pay run")):
            with pytest.raises(psycopg.Error, match=refusal), db.transaction():
                db.execute(
                    f"UPDATE timesheets_charge SET {side}_rate = {side}_rate + 100, "
                    f"{side}_amount = round((({side}_rate + 100) * minutes) / 60.0) WHERE client_id = %s "
                    "AND id IN (SELECT id FROM billing_billed)",
                    [client.id],
                )


def _write_terms(db: Any, client: TestClient, card_id: UUID, revision: int) -> None:
    db.execute(
        "INSERT INTO timesheets_rateterms (id, client_id, card_id, revision, pay_rate, bill_rate, "
        "overtime_ppm, weekend_ppm, weekly_threshold_minutes, reason, by_user_id) "
        "VALUES (%s, %s, %s, %s, 1700, 2400, 1500000, 1500000, 2400, '', gen_random_uuid())",
        [uuid4(), client.id, card_id, revision],
    )


@pytest.mark.behaviour("BILL-01")
def test_a_new_version_values_nothing_anew(client: TestClient) -> None:
    card = agreed(client)
    take(client)
    agreement, before = agreement_of(client, card.card_id), values(client)
    sunday = MONDAY + timedelta(days=6)
    with client.acting():
        with pytest.raises(InputRefused, match=f"hours up to {MONDAY + timedelta(days=4)} are recorded"):
            rates.add_rate_card(agreement, "Operative", MONDAY, **asdict(DEARER))
        made = rates.add_rate_card(agreement, "Operative", sunday, reason="as of 2027", **asdict(DEARER))
        assert made.ended == card.card_id
        with pytest.raises(InputRefused, match="begins on"):
            rates.add_rate_card(agreement, "Operative", sunday, **asdict(TERMS))
        with pytest.raises(InputRefused, match="new version"):
            rates.preview_edit(made.card_id, rates.Terms(16_00, 23_00, weekly_threshold_minutes=60))
    take(client, MONDAY + WEEK)
    assert values(client) == [*before, (87_5 * 16_0, 87_5 * 23_0)]


@pytest.mark.behaviour("BILL-01")
def test_who_edits_a_card_made_what_is_billed_by_it(client: TestClient) -> None:
    card = agreed(client)
    take(client)
    edited(client, card.card_id, DEARER, "lead")
    with client.acting():
        run = billing.prepare_bill_run(PAY_DATE, MONDAY + timedelta(days=6))
    with client.acting("lead"), pytest.raises(MakerIsNotChecker):
        billing.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)
    with client.acting("checker"):
        billing.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)


# --- around the application ---------------------------------------------------------------------------


@pytest.mark.behaviour("BILL-01")
def test_the_database_keeps_cards_apart_and_charges_as_valued(client: TestClient) -> None:
    card = agreed(client)
    take(client)
    agreement = agreement_of(client, card.card_id)
    insert = (
        "INSERT INTO timesheets_ratecard (id, client_id, agreement_id, role, starts, ends) "
        "VALUES (%s, %s, %s, %s, %s, NULL)"
    )
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.errors.ExclusionViolation), db.transaction():
            db.execute(insert, [uuid4(), client.id, agreement, "Operative", date(2030, 1, 1)])
        db.execute(insert, [uuid4(), client.id, agreement, "Driver", date(2030, 1, 1)])
        with pytest.raises(psycopg.Error, match="are recorded under this rate card"), db.transaction():
            db.execute("UPDATE timesheets_ratecard SET ends = %s WHERE id = %s", [MONDAY, card.card_id])
        with pytest.raises(psycopg.Error, match="unless its rate card is edited"), db.transaction():
            db.execute("UPDATE timesheets_charge SET pay_rate = pay_rate * 2, pay_amount = pay_amount * 2")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), db.transaction():
            db.execute("UPDATE timesheets_charge SET minutes = minutes")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), db.transaction():
            db.execute("INSERT INTO timesheets_chargebefore (id) VALUES (gen_random_uuid())")
        _write_terms(db, client, card.card_id, 2)
        moved = db.execute(
            "UPDATE timesheets_charge SET pay_rate = pay_rate * 2, pay_amount = pay_amount * 2"
        )
        kept = db.execute("SELECT count(*), min(by_user_id::text) FROM timesheets_chargebefore").fetchone()
        assert kept == (moved.rowcount, str(client.staff["specialist"].id))


# --- files --------------------------------------------------------------------------------------------

HEADINGS = ("customer", "agreement", "role", "from_date", "until_date", "pay_rate", "bill_rate", "overtime")


def cards_file(client: TestClient, *rows: tuple[str, ...]) -> Any:
    return client.file(f"cards-{len(rows)}.csv", HEADINGS, rows)


def test_cards_come_in_a_file_and_assignments_follow_them(client: TestClient) -> None:
    set_up(client, TEMPS)
    ok = ("ACME", "AG-1", "Driver", "2026-01-05", "2026-11-18", "14", "20", "200%")
    with pytest.raises(InputRefused) as refused:
        client.take("rate-cards", cards_file(client, ok, (*ok[:3], "2026-11-18", "", "15", "21", "")))
    assert "row 3" in str(refused.value) and "overlaps row 2" in str(refused.value)
    client.take(
        "rate-cards",
        cards_file(
            client,
            ok,
            (*ok[:3], "2026-11-19", "", "15", "21", ""),
            ("ACME", "AG-1", "Mate", "2026-01-05", "", "13", "19", ""),
        ),
    )
    with pytest.raises(InputRefused, match=r"a card of Driver (holds until 2026-11-18|begins on 2026-11-19)"):
        client.take("rate-cards", cards_file(client, (*ok[:3], "2026-06-01", "", "15", "21", "")))
    headings = (
        "assignment",
        "payroll_number",
        "customer",
        "role",
        "start_date",
        "pay_rate",
        "bill_rate",
        "agreement",
    )
    row = ["A9", "T1", "ACME", "Driver", "2026-11-01", "", "", "AG-1"]
    for at, wrong, said in (
        (5, "12", "beside an agreement"),
        (3, "Cook", "no rate card of 'Cook'"),
        (7, "", "no pay_rate"),
    ):
        bad = [*row[:at], wrong, *row[at + 1 :]]
        with pytest.raises(InputRefused, match=said):
            client.take("assignments", client.file("bad.csv", headings, [bad]))
    client.take("assignments", client.file("good.csv", headings, [row]))
    driver = Temp("T1", customer="ACME", hours=("8", "8", "8", "8"))
    path = hours_file(client, [driver], MONDAY, "driver.csv")
    path.write_text(path.read_text().replace("T1-ACME", "A9"))
    client.take("timesheets", path)
    assert values(client) == [(24 * 14_00 + 8 * 15_00, 24 * 20_00 + 8 * 21_00)]


# --- pages --------------------------------------------------------------------------------------------


def test_a_card_is_edited_on_its_page_as_it_was_shown(client: TestClient) -> None:
    card = agreed(client)
    take(client)
    browser = signed_in(client.staff["specialist"])
    at = reverse("timesheets:agreement", args=[client.code, agreement_of(client, card.card_id)])
    assert "T1-ACME" in browser.get(at).content.decode()
    where = reverse("timesheets:card_edit", args=[client.code, card.card_id])
    typed = {"pay_rate": "16", "bill_rate": "23", "overtime_ppm": "150%", "weekend_ppm": "150%"}
    seen = browser.get(where, typed)
    shown, unasked = seen.content.decode(), browser.get(where).content.decode()
    assert "£175.00" in shown and "£175.00" not in unasked and "Moves" in shown
    [content] = re.findall(r'name="content_hash" value="(\w+)"', shown)
    again = browser.get(where, {**typed, "overtime_ppm": "50%"}).content.decode()
    assert "50% is no multiplier" in again
    form = {**typed, "content_hash": content, "reason": "a slip", "form_key": "k"}
    done = browser.post(f"{where}/change", form, follow=True).content.decode()
    assert "11 charges valued anew" in done and "What edited cards said" in done
    assert values(client) == [(87_5 * 16_0, 87_5 * 23_0)]


def test_agreements_sites_and_cards_are_entered_on_pages(client: TestClient) -> None:
    set_up(client, TEMPS)
    browser = signed_in(client.staff["specialist"])
    front = reverse("timesheets:agreements", args=[client.code])
    assert "No agreements yet" in browser.get(front).content.decode()
    site = {"site-customer": "ACME", "site-code": "N", "site-name": "North", "form_key": "1"}
    browser.post(f"{front}/do/add-site", site)
    form = {"customer": "ACME", "number": "AG-1", "title": "Frame", "site": "N", "form_key": "2"}
    added = browser.post(f"{front}/do/add-agreement", form, follow=True)
    where = added.redirect_chain[-1][0]
    assert "at North" in added.content.decode()
    card = {
        "role": "Operative", "starts": "2026-01-05", "pay_rate": "15", "bill_rate": "21",
        "overtime_ppm": "200%", "weekend_ppm": "150%", "weekly_threshold_minutes": "40", "form_key": "3",
    }  # fmt: skip
    assert "The rates hold from" in browser.post(f"{where}/add-card", card, follow=True).content.decode()
    again = browser.post(f"{where}/add-card", {**card, "form_key": "4"}, follow=True).content.decode()
    assert "begins on 2026-01-05 already" in again
    follows = {"follow-assignment": "T1-ACME", "follow-starts": "2026-02-01", "form_key": "5"}
    assert "T1-ACME follows" in browser.post(f"{where}/follow", follows, follow=True).content.decode()
    with client.acting():
        assert RateCard.objects.get(client_id=client.id).role == "Operative"
        with pytest.raises(Conflict, match="follows an agreement already"):
            row = Assignment.objects.get(client_id=client.id, code="T1-ACME")
            rates.follow_agreement(row.id, row.agreement_id, date(2026, 3, 1))  # type: ignore[arg-type]
