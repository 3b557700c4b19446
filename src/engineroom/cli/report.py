"""The report of one payday: what was paid, billed, held, sent and booked, gathered from the rooms'
selectors."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time
from uuid import UUID

from django.db import connection
from django.db.models import Q

from engineroom.billing import selectors as billing
from engineroom.billing.models import Invoice
from engineroom.foundation.access.selectors import installation
from engineroom.foundation.approvals.models import Approval, ApprovalVoid, Release
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import NotFound
from engineroom.kernel.money import format_minor
from engineroom.kernel.rounding import half_up
from engineroom.ledger import selectors as ledger
from engineroom.openitems import kinds
from engineroom.openitems import selectors as openitems
from engineroom.payday.steps import Payday, payday_of
from engineroom.payroll import posting
from engineroom.payroll import selectors as payroll
from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.jurisdictions import Jurisdiction, jurisdiction
from engineroom.payroll.models import PaidTimesheet, PayRun
from engineroom.settlement.clearing import open_exceptions
from engineroom.settlement.formats.bacs18 import unverified_fields
from engineroom.settlement.models import PaymentBatch
from engineroom.ui import report
from engineroom.ui.charts import Bar
from engineroom.ui.display import Figure

SHOWN_OPEN_ITEMS = 40


def build(pay_date: date) -> report.RunReport:
    """The report of a pay date's run, inside `acting`. Raises NotFound when there is no calculated run."""
    day = payday_of(pay_date)
    if day.run is None or day.run.published is None:
        raise NotFound(f"there is no calculated pay run for {pay_date}")
    firm = installation()
    client = Client.objects.get(id=current_scope().client_id)
    totals, law = payroll.run_figures(day.run).totals, jurisdiction(day.run.jurisdiction)
    return report.RunReport(
        firm=firm.firm_name if firm else "",
        client=client.name,
        run_number=str(day.run.number),
        pay_date=pay_date,
        made_at=datetime.now(UTC).replace(second=0, microsecond=0),
        signatures=_signatures(day),
        totals=_totals(law, totals),
        steps=_waterfall(law, totals),
        people=_people(day.run),
        margins=_margins(day),
        held=_held(day.run),
        payment_files=[_payment_file(day.batch)] if day.batch else [],
        ledger=_balances(pay_date),
        ledger_as_at=pay_date,
        open_items=_open_items(),
        exceptions=_exceptions(day.run),
        checks=_checks(day.run),
        files=_files(day),
        notes=_notes(day.run, day.batch),
    )


def _signatures(day: Payday) -> list[report.Signature]:
    assert day.run is not None
    client_id = day.run.client_id
    names = _names()
    subjects = [day.run.id, *([day.bill_run.id] if day.bill_run else [])]
    made = [report.Signature("Prepared", ", ".join(_makers(day.run.id, names)) or "nobody")]
    voided = ApprovalVoid.objects.filter(client_id=client_id).values("approval_id")
    standing = Approval.objects.filter(client_id=client_id, subject_id__in=subjects).exclude(id__in=voided)
    made += [
        report.Signature(
            f"Approved {'pay' if a.subject_kind == 'pay_run' else 'invoices'}",
            names.get(a.user_id, "?"),
            a.at.replace(microsecond=0),
        )
        for a in standing.order_by("at")
    ]
    for r in Release.objects.filter(client_id=client_id, subject_id__in=subjects):
        made.append(report.Signature("Released", names.get(r.user_id, "?"), r.at.replace(microsecond=0)))
    return made


def _names() -> dict[UUID, str]:
    from engineroom.foundation.access.models import User

    return dict(User.objects.values_list("id", "name"))


def _makers(run_id: UUID, names: dict[UUID, str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT user_id FROM foundation_contribution "
            "WHERE client_id = %s AND subject_kind = 'pay_run' AND subject_id = %s",
            [current_scope().client_id, run_id],
        )
        return sorted(names.get(row[0], "?") for row in cursor)


def _totals(law: Jurisdiction, totals: dict[str, int]) -> list[Figure]:
    """Every element in pence; what is given up before gross pay stands with its minus, as on a payslip."""
    shown = [e for e in law.elements if totals.get(e.code) and e.unit == "pence" and e.kind != "figure"]
    return [Figure(e.label, -totals[e.code] if e.kind == "reduction" else totals[e.code]) for e in shown]


def _waterfall(law: Jurisdiction, totals: dict[str, int]) -> list[Bar]:
    """From what the run costs the employer down to gross pay, and on to what people get. Both walks explain
    all."""
    earned = law.postings.headings[0][0]
    beside = [
        (heading, law.postings.under(heading, totals))
        for heading, _ in law.postings.headings
        if heading != earned
    ]
    cost = totals["gross"] + sum(amount for _, amount in beside)
    steps = [Bar("Employer's cost", cost, "total")]
    steps += [Bar(label, amount, "down") for label, amount in beside if amount]
    steps += [Bar("Gross pay", totals["gross"], "total")]
    steps += [
        Bar(e.label, totals[e.code], "down")
        for e in law.elements
        if e.kind == "deduction" and totals.get(e.code)
    ]
    return [*steps, Bar("Net pay", totals["net_pay"], "total")]


def _people(run: PayRun) -> list[report.PersonRow]:
    returned = {i.subject_id for i in openitems.open_items(kind="net_pay") if i.subject_kind == "payment"}
    paid_back = _payees_of(returned)
    return [_person(s, s.person_id in paid_back) for s in payroll.payslips(run)]


def _person(slip: payroll.SlipView, is_returned: bool) -> report.PersonRow:
    """A row that adds up: gross less the deductions shown is net. Sacrificed pay was never gross; a note says
    it."""
    f = slip.figures
    sacrificed = f["salary_sacrifice"]
    gave_up = f", {format_minor(sacrificed)} sacrificed to the pension" if sacrificed else ""
    return report.PersonRow(
        slip.payroll_number,
        slip.name,
        f["minutes_worked"],
        f["gross"],
        f["paye"],
        f["employee_nic"],
        f["student_loan"] + f["postgraduate_loan"],
        f["employee_pension"],
        f["net_pay"],
        status="Returned" if is_returned else "",
        note=f"{slip.tax_code}, NI {slip.ni_category}{gave_up}",
        attention=is_returned,
    )


def _payees_of(payment_ids: set[UUID]) -> set[UUID]:
    from engineroom.settlement.models import Payment

    rows = Payment.objects.filter(client_id=current_scope().client_id, id__in=payment_ids)
    return set(rows.values_list("payee_id", flat=True))


def _margins(day: Payday) -> list[report.CustomerMargin]:
    """Per customer: what its invoices came to, beside what the posted run cost of it."""
    assert day.run is not None
    billed_to: dict[UUID, int] = defaultdict(int)
    for line in ledger.journal(subjects=[day.bill_run.id] if day.bill_run else []):
        if line.dimension and line.account_code == "4000":
            billed_to[line.dimension] -= line.amount
    costs = posting.costs_per_customer(day.run) if ledger.journal(subjects=[day.run.id]) else {}
    earned = jurisdiction(day.run.jurisdiction).postings.headings[0][0]
    hours = _hours_by_customer(day.run)
    held: dict[UUID, int] = defaultdict(int)
    for row in billing.held(day.run.id):
        held[row.customer_id] += row.amount
    rows = []
    for customer_id, (name, minutes) in hours.items():
        billed, of = billed_to[customer_id], costs.get(customer_id, {})
        pay = of.get(earned, 0)
        on_costs = sum(of.values()) - pay
        margin = billed - pay - on_costs
        share = half_up(margin * 1000, billed) * 1000 if billed else None
        rows.append(
            report.CustomerMargin(name, minutes, billed, held[customer_id], pay, on_costs, margin, share)
        )
    return rows


def _hours_by_customer(run: PayRun) -> dict[UUID, tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT k.id, k.name, sum(e.minutes)::bigint
            FROM payroll_paidtimesheet pt
            JOIN timesheets_timesheet t ON t.client_id = pt.client_id AND t.id = pt.id
            JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
            JOIN openitems_counterparty k ON k.client_id = a.client_id AND k.id = a.customer_id
            JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
            WHERE pt.client_id = %s AND pt.run_id = %s GROUP BY k.id, k.name ORDER BY k.name
            """,
            [run.client_id, run.id],
        )
        return {row[0]: (row[1], row[2]) for row in cursor}


def _held(run: PayRun) -> list[report.HeldRow]:
    """Of the hours that this run paid, as the margins are; other weeks' are their own runs'."""
    return [
        report.HeldRow(
            h.customer,
            h.person,
            h.day,
            h.minutes,
            h.amount,
            f"{h.reason.replace('_', ' ')}{f': {h.note}' if h.note else ''}",
        )
        for h in billing.held(run.id)
    ]


def _payment_file(batch: PaymentBatch) -> report.PaymentFile:
    return report.PaymentFile(
        name=batch.file.name,
        credits=batch.count,
        total_minor=batch.total,
        submit_by=datetime.combine(batch.submit_by, time(22, 30)),
        processing_day=batch.processing_day,
        entry_day=batch.entry_day,
        sha256=bytes(batch.file.sha256).hex(),
        unverified_fields=[f"{f.name}: {f.value!r}" for f in unverified_fields(batch.processing_day)],
    )


def _balances(as_at: date) -> list[report.LedgerRow]:
    """Each account's balance on its side, as the trial balance of the command line shows it. As at a day:
    the next payday, or money that comes later, does not change a page that was written again."""
    return [
        report.LedgerRow(b.code, b.name, max(b.balance, 0), max(-b.balance, 0))
        for b in ledger.trial_balance(as_at=as_at)
    ]


def _open_items() -> list[report.OpenItemRow]:
    rows = openitems.open_items()
    return [
        report.OpenItemRow(
            kinds.KINDS[i.kind].label if i.kind in kinds.KINDS else i.kind,
            i.counterparty,
            i.reference,
            i.due,
            i.open,
        )
        for i in rows[:SHOWN_OPEN_ITEMS]
    ]


def _exceptions(run: PayRun) -> list[report.ExceptionRow]:
    found = [report.ExceptionRow("stop", b.payroll_number, b.problem, b.remedy) for b in blockers_of(run)]
    found += [
        report.ExceptionRow(
            "look",
            f"bank line {e.line.bank_reference} of {e.line.booked}",
            f"{e.reason}: {e.detail}",
            "Clear it by hand, or ask whoever sent it",
        )
        for e in open_exceptions()
    ]
    return found


def _checks(run: PayRun) -> list[report.Check]:
    checks = [
        report.Check(c.what.capitalize(), c.ok, f"{c.wrong} found" if c.wrong else "none")
        for c in ledger.verify()
    ]
    checks += [
        report.Check(
            f"Control account {c.account_code} {c.account_name} = its open items",
            c.ok,
            format_minor(c.ledger) if c.ok else f"ledger {c.ledger}, items {c.items}, open {c.left_open}",
        )
        for c in openitems.controls()
    ]
    reconciled = billing.reconcile()
    checks.append(
        report.Check(
            "Paid hours = billed + unbilled + held + written off",
            reconciled.difference == (0, 0),
            f"difference {reconciled.difference[0]} minutes, {reconciled.difference[1]} pence",
        )
    )
    checks.append(
        report.Check(
            "Hours on payslips = hours of released runs",
            reconciled.payslip_difference == 0,
            f"difference {reconciled.payslip_difference} minutes",
        )
    )
    recheck = payroll.recheck(run)
    checks.append(
        report.Check(
            "The run calculated again gives the same pennies", recheck.ok, f"{recheck.payslips} payslips"
        )
    )
    return checks


def _files(day: Payday) -> list[report.FileRow]:
    """The files that this payday came from and made; each content once."""
    assert day.run is not None
    made = [day.run.id, *(s.id for s in payroll.payslips(day.run))]
    if day.batch:
        made.append(day.batch.id)
    if day.bill_run:
        made += Invoice.objects.filter(client_id=day.run.client_id, bill_run=day.bill_run).values_list(
            "id", flat=True
        )
    rows = VaultFile.objects.filter(client_id=day.run.client_id).exclude(kind="payroll.report")
    wanted = rows.filter(Q(subject_id__in=made) | Q(id__in=_imported(day.run))).order_by("kind", "name", "id")
    first: dict[tuple[str, str], VaultFile] = {}
    for file in wanted:
        first.setdefault((file.kind, bytes(file.sha256).hex()), file)
    return [report.FileRow(f.name, f.size, digest, kind) for (kind, digest), f in first.items()]


def _imported(run: PayRun) -> list[UUID]:
    """The files whose hours the run paid."""
    paid = PaidTimesheet.objects.filter(client_id=run.client_id, run=run)
    return list(paid.values_list("timesheet__taken_in__preview__file_id", flat=True).distinct())


def _notes(run: PayRun, batch: PaymentBatch | None) -> list[str]:
    """What the run was calculated by, and what of it and of its payment file nobody has read in a source."""
    assert run.published is not None
    unverified = [
        f"{r['table']}: {', '.join(r['unverified'])}" for r in run.published.rules if r["unverified"]
    ]
    if batch and (names := [f.name for f in unverified_fields(batch.processing_day)]):
        unverified.append(f"bacs18: {', '.join(names)}")
    notes = [f"Rules {run.published.rules_hash[:16]}, engine {run.published.engine_version}."]
    if unverified:
        notes.append(
            f"Values known from memory only, marked unverified in the tables: {'; '.join(unverified)}."
        )
    return notes
