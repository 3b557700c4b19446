"""From paid hours to invoices: what is billed, what waits, and that nothing is lost between the two."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection, connections
from django.db.utils import DatabaseError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engineroom.billing import selectors, services
from engineroom.billing.engine import Billable, draft_invoices
from engineroom.billing.models import BillRun, Invoice, InvoiceLine
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.errors import Conflict, EngineroomError, NotPermitted
from engineroom.ledger import selectors as ledger
from engineroom.openitems import selectors as openitems
from engineroom.openitems.models import Counterparty
from engineroom.payday import steps
from engineroom.timesheets import services as timesheets
from engineroom.timesheets.models import HoldEnd, Timesheet
from tests.firm import (
    PAY_DATE,
    WEEK_ENDS,
    Firm,
    Temp,
    TestClient,
    approve_payday,
    connect,
    enter,
    hours_file,
    run_payday,
    set_up,
    superuser,
)

WEEK = timedelta(days=7)


def take_hours(client: TestClient, temps: Sequence[Temp], pay_date: date = PAY_DATE, name: str = "") -> None:
    monday = pay_date - timedelta(days=11)
    client.take("timesheets", hours_file(client, temps, monday, name or f"hours-{pay_date}.csv"))


def invoices(client: TestClient) -> list[Invoice]:
    with client.acting():
        return list(Invoice.objects.filter(client_id=client.id).select_related("customer").order_by("number"))


def bill(client: TestClient, day: date = PAY_DATE, through: date = WEEK_ENDS) -> services.InvoicesIssued:
    """Prepared, approved by another, issued."""
    with client.acting():
        run = services.prepare_bill_run(day, through)
    with client.acting("lead"):
        services.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)
    with client.acting("checker"):
        return services.issue_bill_run(run.bill_run_id)


def reconciled(client: TestClient) -> selectors.Reconciliation:
    with client.acting():
        return selectors.reconcile()


def end_holds(client: TestClient, outcome: str, customer: str) -> None:
    with client.acting():
        sheets = Timesheet.objects.filter(client_id=client.id, assignment__customer__code=customer)
        for sheet in sheets.values_list("id", flat=True):
            timesheets.end_holds(sheet, outcome=outcome, reason="agreed by phone")


# --- pay and bill -------------------------------------------------------------------------------------


@pytest.mark.behaviour("BILL-04")
def test_one_approved_hour_is_one_payable_and_one_billable(client: TestClient) -> None:
    """Both sides are one row: paid once by one run, on one line of one invoice."""
    temps = [Temp("T1", hours=("9", "9", "9", "9", "9")), Temp("T2", "Al", customer="BETA")]
    set_up(client, temps)
    run_payday(client, temps)
    with client.acting(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(DISTINCT c.id), count(b.id), sum(c.minutes), "
            "sum(c.pay_amount), sum(c.bill_amount) "
            "FROM timesheets_charge c JOIN timesheets_timeentry e ON e.id = c.time_entry_id "
            "JOIN payroll_paidtimesheet p ON p.id = e.timesheet_id LEFT JOIN billing_billed b ON b.id = c.id "
            "WHERE c.client_id = %s",
            [client.id],
        )
        rows, charges, billed, minutes, pay, billable = cursor.fetchone()
    assert rows == charges == billed == 11
    assert minutes == 85 * 60
    with client.acting("bookkeeper"):
        balances = {b.code: b.balance for b in ledger.trial_balance()}
    assert (balances["5000"], balances["4000"]) == (pay, -billable)


weeks = st.lists(
    st.builds(
        Temp,
        customer=st.sampled_from(["ACME", "BETA", "CELLO"]),
        hours=st.lists(
            st.sampled_from(["", "0:07", "3:20", "7.5", "8", "11:41"]), min_size=1, max_size=7
        ).map(tuple),
        pay_rate=st.sampled_from(["12.71", "15.33", "21.07"]),
        bill_rate=st.sampled_from(["17.99", "20.01", "33.33"]),
        status=st.sampled_from(["approved", "approved", "disputed"]),
    ),
    min_size=1,
    max_size=5,
)


@pytest.mark.behaviour("BILL-04")
@pytest.mark.behaviour("BILL-05", part="held")
@settings(max_examples=8, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(
    data=st.tuples(
        weeks,
        weeks,
        st.sampled_from([None, "200", "900"]),
        st.sampled_from(["billable", "written_off", None]),
    )
)
def test_paid_is_billed_held_and_written_off_to_zero(
    firm: Firm, data: tuple[list[Temp], list[Temp], Any, Any]
) -> None:
    """Two random weeks with disputes and an order, through the database; after every act the two sides
    agree."""
    first, second, limit, outcome = data
    client = firm.new_client()
    order = "PO-1" if limit else ""

    def named(temps: list[Temp]) -> list[Temp]:
        return [
            replace(t, number=f"T{n}", order=order if t.customer == "ACME" else "", hours=("1", *t.hours[1:]))
            for n, t in enumerate(temps)
        ]

    first = named(first)
    second = [replace(f, hours=s.hours, status=s.status) for f, s in zip(first, named(second), strict=False)]
    with_order = limit and any(t.order for t in first)
    set_up(client, first, [("ACME", "PO-1", "2026-01-01", "", limit, "")] if with_order else ())
    take_hours(client, first)
    states = [reconciled(client)]
    bill(client)
    states.append(reconciled(client))
    if outcome:
        with client.acting():
            held = Timesheet.objects.filter(client_id=client.id, status="disputed").values_list(
                "id", flat=True
            )
            for sheet in held:
                timesheets.end_holds(sheet, outcome=outcome, reason="agreed")
    take_hours(client, second, PAY_DATE + WEEK)
    states.append(reconciled(client))
    bill(client, PAY_DATE + WEEK, WEEK_ENDS + WEEK)
    states.append(reconciled(client))
    assert [s.difference for s in states] == [(0, 0)] * 4
    last = states[-1]
    assert last.unbilled_minutes == 0
    with client.acting("bookkeeper"):
        sales = {b.code: -b.balance for b in ledger.trial_balance()}.get("4000", 0)
    assert sales == last.billed_amount == sum(i.net for i in invoices(client))
    assert last.paid_amount == last.billed_amount + last.held_amount + last.written_off_amount


@pytest.mark.behaviour("BILL-05", part="held")
def test_disputed_and_over_order_are_paid_and_in_no_invoice_and_no_revenue(client: TestClient) -> None:
    temps = [
        Temp("T1", status="disputed"),
        Temp("T2", "Al", customer="BETA", order="PO-1"),
        Temp("T3", "Bo", customer="CELLO"),
    ]
    set_up(client, temps, [("BETA", "PO-1", "2026-01-01", "", "", "16")])
    run_payday(client, temps)
    state = reconciled(client)
    assert (state.held_minutes, state.held_amount) == (64 * 60, 64 * 2100)
    assert (state.billed_minutes, state.ok) == (56 * 60, True)
    with client.acting("bookkeeper"):
        balances = {b.code: b.balance for b in ledger.trial_balance()}
    assert balances["5000"] == 120 * 1500
    assert balances["4000"] == -56 * 2100
    assert [(i.customer.code, i.net) for i in invoices(client)] == [("BETA", 16 * 2100), ("CELLO", 40 * 2100)]


@pytest.mark.behaviour("BILL-05", part="held")
def test_a_hold_that_ended_as_billable_is_billed_by_the_next_run(client: TestClient) -> None:
    temps = [Temp("T1", status="disputed"), Temp("T2", "Al", customer="BETA", status="disputed")]
    set_up(client, temps)
    run_payday(client, temps)
    assert invoices(client) == []
    end_holds(client, "billable", "ACME")
    end_holds(client, "written_off", "BETA")
    later = [Temp("T1")]
    run_payday(client, later, PAY_DATE + WEEK)
    (invoice,) = invoices(client)
    assert invoice.net == 80 * 2100
    with client.acting():
        weeks_billed = InvoiceLine.objects.filter(client_id=client.id).order_by("week_ending")
        assert [(line.week_ending, line.net) for line in weeks_billed] == [
            (WEEK_ENDS, 84000),
            (WEEK_ENDS + WEEK, 84000),
        ]
    state = reconciled(client)
    assert (state.held_minutes, state.written_off_amount, state.ok) == (0, 84000, True)


INSERT_BILLED = (
    "INSERT INTO billing_billed (id, client_id, invoice_line_id) SELECT "
    "c.id, c.client_id, %s FROM timesheets_charge c JOIN timesheets_hold h ON h.id = c.id"
)


@pytest.mark.behaviour("BILL-05", part="held")
@pytest.mark.parametrize("outcome", [None, "written_off"])
def test_the_database_bills_no_held_charge(client: TestClient, outcome: str | None) -> None:
    temps = [Temp("T1", status="disputed"), Temp("T2", "Al", customer="BETA")]
    set_up(client, temps)
    run_payday(client, temps)
    if outcome:
        end_holds(client, outcome, "ACME")
    with client.acting():
        line = InvoiceLine.objects.filter(client_id=client.id).values_list("id", flat=True).first()
    with connect() as db:
        enter(db, client.staff["lead"], write=client.id)
        with pytest.raises(psycopg.Error, match="a held hour is in no invoice"):
            db.execute(INSERT_BILLED, [line])


# --- drafts and invoices ------------------------------------------------------------------------------


def test_a_customer_with_two_orders_gets_two_invoices(client: TestClient) -> None:
    temps = [Temp("T1", order="PO-1"), Temp("T2", "Al", order="PO-2"), Temp("T3", "Bo")]
    set_up(
        client,
        temps,
        [("ACME", "PO-1", "2026-01-01", "", "", ""), ("ACME", "PO-2", "2026-01-01", "", "", "")],
    )
    take_hours(client, temps)
    assert bill(client).invoices == ["INV-000001", "INV-000002", "INV-000003"]
    assert [(i.customer.code, i.order_number) for i in invoices(client)] == [
        ("ACME", ""),
        ("ACME", "PO-1"),
        ("ACME", "PO-2"),
    ]


def test_vat_is_of_the_invoices_total_and_the_terms_are_the_customers(client: TestClient) -> None:
    """Lines of 15.33 x 7.5 h: 114.98 each of two people; 20% of 229.96 is 45.99, where line by line were
    46.00."""
    temps = [
        Temp("T1", hours=("7.5",), bill_rate="15.33"),
        Temp("T2", "Al", hours=("7.5",), bill_rate="15.33"),
    ]
    set_up(client, temps)
    client.take(
        "customers", client.file("terms.csv", ("code", "name", "payment_days"), [("ACME", "Acme Ltd", "14")])
    )
    take_hours(client, temps)
    bill(client)
    (invoice,) = invoices(client)
    assert (invoice.net, invoice.vat, invoice.gross) == (22996, 4599, 27595)
    assert (invoice.issue_date, invoice.tax_point, invoice.due) == (
        PAY_DATE,
        PAY_DATE,
        PAY_DATE + timedelta(days=14),
    )
    assert invoice.vat_rule == "vat from 2011-01-04, standard rate, principal"
    with client.acting("bookkeeper"):
        (item,) = openitems.open_items(kind="invoice")
        balances = {b.code: b.balance for b in ledger.trial_balance()}
    assert (item.amount, item.due, item.reference) == (27595, invoice.due, "INV-000001")
    assert balances == {"1100": 27595, "2250": -4599, "4000": -22996}


@given(st.permutations(range(6)))
def test_the_order_in_which_charges_are_read_does_not_matter(order: list[int]) -> None:
    charges = [
        Billable(
            UUID(int=n), f"C{n % 2}", "PO" if n % 3 else "", f"A{n % 4}", UUID(int=n % 4), "Jo", "Op",
            WEEK_ENDS,
            ("basic", "overtime", "weekend")[n % 3], 60, 100 + n % 2, 100 + n % 2,
        )
        for n in range(6)
    ]  # fmt: skip
    shuffled = draft_invoices([charges[n] for n in order], 200_000)

    def facts(drafts: Any) -> Any:
        return [
            (
                d.customer,
                d.order_number,
                d.net,
                d.vat,
                [(x.assignment, x.kind, x.rate, x.net, set(x.charge_ids)) for x in d.lines],
            )
            for d in drafts
        ]

    assert facts(shuffled) == facts(draft_invoices(charges, 200_000))


@pytest.mark.behaviour("INV-01", part="numbers")
def test_drafts_have_no_numbers_and_a_refused_issue_uses_none_up(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    take_hours(client, [Temp("T1")])
    with client.acting():
        run = services.prepare_bill_run(PAY_DATE, WEEK_ENDS)
    assert invoices(client) == []
    with client.acting("checker"), pytest.raises(approvals.NotApproved, match="have it approved first"):
        services.issue_bill_run(run.bill_run_id)
    with client.acting("lead"):
        services.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)
    with pytest.raises(PowerCut), client.acting("checker"):
        assert services.issue_bill_run(run.bill_run_id).invoices == ["INV-000001"]
        raise PowerCut
    with client.acting("checker"):
        assert services.issue_bill_run(run.bill_run_id).invoices == ["INV-000001"]
    with client.acting("checker"), pytest.raises(Conflict, match="issued already"):
        services.issue_bill_run(run.bill_run_id)


def two_bill_runs(client: TestClient) -> list[services.BillRunPrepared]:
    """Approved both: one of the first week, one of both weeks, so that they have hours in common."""
    temps = [Temp(f"T{n}", f"P{n}", customer=f"K{n}") for n in range(4)]
    set_up(client, temps)
    take_hours(client, temps[:2])
    take_hours(client, temps[2:], PAY_DATE + WEEK)
    runs = []
    for day, through in ((PAY_DATE, WEEK_ENDS), (PAY_DATE + WEEK, WEEK_ENDS + WEEK)):
        with client.acting():
            runs.append(services.prepare_bill_run(day, through))
        with client.acting("lead"):
            services.approve_bill_run(runs[-1].bill_run_id, content_hash=runs[-1].content_hash)
    assert [r.invoices for r in runs] == [2, 4]
    return runs


class PowerCut(Exception):
    """The transaction ends here."""


def race(client: TestClient, runs: Sequence[services.BillRunPrepared], *, first_fails: bool) -> list[Any]:
    """Each run issued on a connection of its own; the first holds its transaction open until the second has
    begun."""
    issued, results = threading.Event(), [None, None]

    def issue(at: int) -> None:
        try:
            with client.acting("checker"):
                if at == 1:
                    issued.wait(10)
                results[at] = services.issue_bill_run(runs[at].bill_run_id).invoices
                if at == 0:
                    issued.set()
                    time.sleep(0.3)
                    if first_fails:
                        raise PowerCut
        except (EngineroomError, PowerCut) as error:
            results[at] = type(error).__name__
        finally:
            connections.close_all()

    threads = [threading.Thread(target=issue, args=[at]) for at in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.behaviour("INV-01", part="numbers")
def test_of_two_who_issue_the_same_hours_at_once_one_is_refused(client: TestClient) -> None:
    results = race(client, two_bill_runs(client), first_fails=False)
    assert results == [["INV-000001", "INV-000002"], "ContentChanged"]
    assert [i.number for i in invoices(client)] == ["INV-000001", "INV-000002"]
    assert bill(client, PAY_DATE + WEEK, WEEK_ENDS + WEEK).invoices == ["INV-000003", "INV-000004"]
    assert reconciled(client).ok


@pytest.mark.behaviour("INV-01", part="numbers")
def test_numbers_that_a_failed_issue_had_taken_go_to_the_one_who_waited(client: TestClient) -> None:
    results = race(client, two_bill_runs(client), first_fails=True)
    assert results == ["PowerCut", [f"INV-{n:06d}" for n in range(1, 5)]]
    assert [i.number for i in invoices(client)] == results[1]
    assert reconciled(client).ok


def test_hours_that_come_after_the_approval_are_not_slipped_into_the_invoice(client: TestClient) -> None:
    temps = [Temp("T1"), Temp("T2", "Al")]
    set_up(client, temps)
    take_hours(client, temps[:1])
    with client.acting():
        run = services.prepare_bill_run(PAY_DATE, WEEK_ENDS)
    with client.acting("lead"):
        services.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)
    take_hours(client, temps[1:], name="late.csv")
    with client.acting("checker"), pytest.raises(approvals.ContentChanged, match="prepare it again"):
        services.issue_bill_run(run.bill_run_id)
    with client.acting():
        again = services.prepare_bill_run(PAY_DATE, WEEK_ENDS)
        assert again.approval_voided
    with client.acting("lead"), pytest.raises(approvals.ContentChanged, match="look again"):
        services.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)


def test_who_prepared_the_invoices_or_their_hours_does_not_approve_them(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    client.take("timesheets", hours_file(client, [Temp("T1")]), role="lead")
    with client.acting():
        run = services.prepare_bill_run(PAY_DATE, WEEK_ENDS)
    with client.acting("lead"), pytest.raises(approvals.MakerIsNotChecker):
        services.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)


def test_holds_that_end_after_an_empty_bill_run_are_billed_by_the_same_payday(client: TestClient) -> None:
    """All was held, so nothing was issued; the customer agrees, and payday typed again asks for a new
    approval."""
    temps = [Temp("T1", status="disputed")]
    set_up(client, temps)
    run_payday(client, temps)
    end_holds(client, "billable", "ACME")
    again = steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    assert again.bill_run is not None
    assert (again.published, again.bill_run.invoices, again.bill_run.approval_voided) == (None, 1, True)
    with client.acting():
        assert not steps.is_approved(PAY_DATE)
    approve_payday(client)
    steps.issue(client.staff["checker"], client.id, PAY_DATE)
    assert [i.net for i in invoices(client)] == [84000]


# --- around the application ---------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["invoice", "invoiceline", "billed"])
@pytest.mark.parametrize("verb", ["UPDATE billing_{} SET id = id", "DELETE FROM billing_{}"])
def test_what_was_issued_is_not_changed(firm: Firm, table: str, verb: str) -> None:
    client = firm.clients[-1] if firm.clients else firm.new_client()
    with connect() as db:
        enter(db, client.staff["lead"], write=client.id)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(verb.format(table))


LINE = (
    "INSERT INTO billing_invoiceline (id, client_id, invoice_id, line_no, "
    "description, assignment_id, week_ending, kind, "
    "minutes, rate, net, vat_ppm) SELECT %(new)s, client_id, invoice_id, 9, "
    "'x', assignment_id, week_ending, kind, 0, 0, "
    "%(net)s, 0 FROM billing_invoiceline LIMIT 1"
)
INVOICE = (
    "INSERT INTO billing_invoice (id, client_id, bill_run_id, number, "
    "customer_id, order_number, issue_date, tax_point, "
    "due, currency, net, vat, gross, vat_rule, parties, line_count) SELECT %(new)s, "
    "client_id, bill_run_id, 'INV-000099', "
    "customer_id, '', issue_date, tax_point, due, 'GBP', %(net)s, %(vat)s, "
    "%(gross)s, '', parties, %(lines)s FROM billing_invoice "
    "LIMIT 1"
)


def test_an_issued_invoice_takes_no_further_line_and_none_is_without_lines(client: TestClient) -> None:
    temps = [Temp("T1")]
    set_up(client, temps)
    run_payday(client, temps)
    refused = [
        (LINE, {"net": 100}, "add to its net amount"),
        (LINE, {"net": 0}, "add to its net amount"),
        (INVOICE, {"net": 100, "vat": 20, "gross": 120, "lines": 1}, "add to its net amount"),
        (INVOICE, {"net": 0, "vat": 0, "gross": 0, "lines": 0}, "add to its net amount"),
        (INVOICE, {"net": 100, "vat": 20, "gross": 121, "lines": 1}, "invoice_adds_up"),
    ]
    with connect() as db:
        enter(db, client.staff["lead"], write=client.id)
        for sql, values, message in refused:
            with pytest.raises(psycopg.Error, match=message), db.transaction():
                db.execute(sql, {"new": uuid4(), **values})


def test_a_charge_is_on_one_invoice(client: TestClient) -> None:
    temps = [Temp("T1")]
    set_up(client, temps)
    run_payday(client, temps)
    with connect() as db:
        enter(db, client.staff["lead"], write=client.id)
        with pytest.raises(psycopg.errors.UniqueViolation):
            db.execute(
                "INSERT INTO billing_billed (id, client_id, invoice_line_id) SELECT id, "
                "client_id, invoice_line_id FROM billing_billed"
            )
    with client.acting():
        assert BillRun.objects.filter(client_id=client.id).count() == 1


def test_a_charge_on_a_line_is_of_their_client(client: TestClient, other_client: TestClient) -> None:
    """Their charge on our line, ours on theirs, and a charge or a line that nobody has."""
    for one in (client, other_client):
        temps = [Temp("T1", status="disputed"), Temp("T2", "Al", customer="BETA")]
        set_up(one, temps)
        run_payday(one, temps)
        end_holds(one, "billable", "ACME")
    mine, theirs = _free_charge_and_a_line(client), _free_charge_and_a_line(other_client)
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        for charge in (mine[0], theirs[0], uuid4()):
            for line in (mine[1], theirs[1], uuid4()):
                with pytest.raises(psycopg.Error, match="add to it, with its assignment"), db.transaction():
                    db.execute(
                        "INSERT INTO billing_billed (id, client_id, invoice_line_id) VALUES (%s, %s, %s)",
                        [charge, client.id, line],
                    )


def _free_charge_and_a_line(client: TestClient) -> tuple[UUID, UUID]:
    with client.acting():
        charge = HoldEnd.objects.filter(client_id=client.id).values_list("hold_id", flat=True)[0]
        return charge, InvoiceLine.objects.filter(client_id=client.id).values_list("id", flat=True)[0]


# --- who made it, who lets it out ---------------------------------------------------------------------


def test_whoever_approved_the_invoices_does_not_issue_them(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    take_hours(client, [Temp("T1")])
    with client.acting():
        run = services.prepare_bill_run(PAY_DATE, WEEK_ENDS)
    with client.acting("lead"):
        services.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)
    with client.acting("lead"), pytest.raises(approvals.MakerIsNotChecker, match="another person must"):
        services.issue_bill_run(run.bill_run_id)
    with client.acting(), pytest.raises(NotPermitted, match=r"billing\.release"):
        services.issue_bill_run(run.bill_run_id)
    with client.acting("checker"):
        services.issue_bill_run(run.bill_run_id)
        released = approvals.released("bill_run", run.bill_run_id)
        assert released is not None and released.user_id == client.staff["checker"].id


def test_whoever_set_the_customers_terms_does_not_approve_the_bill(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    terms = client.file("terms.csv", ("code", "name", "payment_days"), [("ACME", "ACME Ltd", "300")])
    steps.import_files(client.staff["specialist"], client.id, "customers", [terms])
    with client.acting("lead"):
        Counterparty.objects.filter(client_id=client.id, code="ACME").update(name="ACME Limited")
    take_hours(client, [Temp("T1")])
    with client.acting():
        run = services.prepare_bill_run(PAY_DATE, WEEK_ENDS)
    with client.acting("lead"), pytest.raises(approvals.MakerIsNotChecker):
        services.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)
    with client.acting("owner"):
        services.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)


def test_whoever_changed_what_is_printed_of_the_supplier_does_not_approve_the_bill(
    client: TestClient,
) -> None:
    set_up(client, [Temp("T1")])
    take_hours(client, [Temp("T1")])
    with client.acting("lead"):
        details = Client.objects.get(id=client.id).details
        Client.objects.filter(id=client.id).update(details={**details, "sort_code": "99-99-99"})
    with client.acting():
        run = services.prepare_bill_run(PAY_DATE, WEEK_ENDS)
    with client.acting("lead"), pytest.raises(approvals.MakerIsNotChecker):
        services.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)


def test_another_customers_order_of_the_same_number_makes_nobody_a_maker(client: TestClient) -> None:
    temps = [Temp("T1", order="PO-1"), Temp("T2", "Al", customer="BETA")]
    set_up(client, temps, [("ACME", "PO-1", "2026-01-01", "", "", "")])
    headings = ("customer", "order_number", "from_date", "until_date", "limit_amount", "limit_hours")
    client.take(
        "orders",
        client.file("beta.csv", headings, [("BETA", "PO-1", "2026-01-01", "", "", "")]),
        role="lead",
    )
    take_hours(client, temps)
    with client.acting():
        run = services.prepare_bill_run(PAY_DATE, WEEK_ENDS)
    with client.acting("lead"):
        services.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)


# --- by raw SQL ---------------------------------------------------------------------------------------


def test_a_charge_that_is_billed_is_not_held(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    run_payday(client, [Temp("T1")])
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.Error, match="not held any more"):
            db.execute(
                "INSERT INTO timesheets_hold (id, client_id, reason, note) "
                "SELECT id, client_id, 'disputed', 'x' FROM billing_billed LIMIT 1"
            )


def test_a_charge_is_billed_on_no_line_but_its_own(client: TestClient) -> None:
    """Hours of one customer, free to be billed, do not hang themselves on a line of another."""
    temps = [Temp("T1", status="disputed"), Temp("T2", "Al", customer="BETA")]
    set_up(client, temps)
    run_payday(client, temps)
    end_holds(client, "billable", "ACME")
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.Error, match="add to it, with its assignment"):
            db.execute(
                "INSERT INTO billing_billed (id, client_id, invoice_line_id) "
                "SELECT x.id, x.client_id, (SELECT id FROM billing_invoiceline LIMIT 1) "
                "FROM timesheets_holdend x"
            )


def test_no_invoice_without_a_released_bill_run_and_none_added_to_one(client: TestClient) -> None:
    temps = [Temp("T1", status="disputed"), Temp("T2", "Al", customer="BETA")]
    set_up(client, temps)
    run_payday(client, temps)
    end_holds(client, "billable", "ACME")
    with client.acting():
        services.prepare_bill_run(PAY_DATE + WEEK, WEEK_ENDS + WEEK)
    for number, message in ((1, "issued once, whole"), (2, "approved and released")):
        with connect() as db:
            enter(db, client.staff["specialist"], write=client.id)
            with pytest.raises(psycopg.Error, match=message):
                db.execute(
                    f"WITH i AS ({FORGED_INVOICE}) {FORGED_LINE}",
                    {"new": uuid4(), "number": number, "line": 1},
                )


FORGED_INVOICE = (
    "INSERT INTO billing_invoice (id, client_id, bill_run_id, number, customer_id, order_number, issue_date, "
    "tax_point, due, currency, net, vat, gross, vat_rule, parties, line_count) SELECT %(new)s, i.client_id, "
    "r.id, 'INV-999999', i.customer_id, '', i.issue_date, i.tax_point, i.due, 'GBP', 100, 20, 120, '', "
    "i.parties, 1 "
    "FROM billing_invoice i, billing_billrun r WHERE r.number = %(number)s LIMIT 1"
)
FORGED_LINE = (
    "INSERT INTO billing_invoiceline (id, client_id, invoice_id, line_no, description, assignment_id, "
    "week_ending, kind, minutes, rate, net, vat_ppm) SELECT gen_random_uuid(), client_id, %(new)s, %(line)s, "
    "'x', assignment_id, week_ending, kind, 0, rate, 100, vat_ppm FROM billing_invoiceline LIMIT 1"
)


@pytest.mark.parametrize("line", [1, 7])
def test_an_invoice_line_is_numbered_in_turn_and_stands_on_charges(client: TestClient, line: int) -> None:
    set_up(client, [Temp("T1", status="disputed"), Temp("T2", "Al", customer="BETA")])
    run_payday(client, [Temp("T1", status="disputed"), Temp("T2", "Al", customer="BETA")])
    end_holds(client, "billable", "ACME")
    with client.acting():
        run = services.prepare_bill_run(PAY_DATE + WEEK, WEEK_ENDS + WEEK)
    with client.acting("lead"):
        services.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)
    with client.acting("checker"):
        approvals.release("bill_run", run.bill_run_id, bytes.fromhex(run.content_hash))
    with connect() as db:
        enter(db, client.staff["checker"], write=client.id)
        with pytest.raises(psycopg.Error, match="numbered in turn"):
            db.execute(
                f"WITH i AS ({FORGED_INVOICE}) {FORGED_LINE}", {"new": uuid4(), "number": 2, "line": line}
            )


def test_an_invoice_that_nobody_owes_is_refused_at_commit(client: TestClient) -> None:
    """The items come after the invoice, so the books are asked when all is said."""
    set_up(client, [Temp("T1")])
    take_hours(client, [Temp("T1")])
    with client.acting():
        run = services.prepare_bill_run(PAY_DATE, WEEK_ENDS)
    with client.acting("lead"):
        services.approve_bill_run(run.bill_run_id, content_hash=run.content_hash)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "_add_receivables", lambda *_: None)
        patch.setattr(services, "_post", lambda *_: [])
        with pytest.raises(DatabaseError, match="is on the books with 0"), client.acting("checker"):
            services.issue_bill_run(run.bill_run_id)
    assert invoices(client) == []


def test_an_issued_bill_run_is_frozen(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    run_payday(client, [Temp("T1")])
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        for sql in ("UPDATE billing_billrun SET issue_date = '2020-01-01'", "DELETE FROM billing_billrun"):
            with pytest.raises(psycopg.Error, match=r"is frozen|permission denied"), db.transaction():
                db.execute(sql)


def test_an_hour_that_no_payslip_pays_shows_in_the_reconciliation(client: TestClient) -> None:
    """Guards set aside, as by whoever owns the database: charged, billed or waiting, and paid to nobody."""
    set_up(client, [Temp("T1")])
    run_payday(client, [Temp("T1")])
    before = reconciled(client)
    assert (before.payslip_minutes, before.unpaid_minutes, before.ok) == (2400, 0, True)
    with superuser() as db:
        db.execute("SET session_replication_role = replica")
        db.execute(
            "UPDATE timesheets_timeentry SET minutes = minutes + 60 WHERE id = (SELECT id FROM "
            "timesheets_timeentry WHERE client_id = %s LIMIT 1)",
            [client.id],
        )
        db.execute(
            "UPDATE timesheets_charge SET minutes = minutes + 60, pay_amount = pay_amount + pay_rate, "
            "bill_amount = bill_amount + bill_rate WHERE client_id = %s AND time_entry_id IN "
            "(SELECT id FROM timesheets_timeentry WHERE client_id = %s AND minutes > 480)",
            [client.id, client.id],
        )
    after = reconciled(client)
    assert (after.payslip_difference, after.ok) == (60, False)
