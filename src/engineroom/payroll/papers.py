"""Payslips as people get them: PDFs of a released run, kept in the vault, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from engineroom.foundation import vault
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.commands import command
from engineroom.foundation.crypto.fields import reveal
from engineroom.foundation.dated import lives_on
from engineroom.foundation.jobs import shown
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.foundation.vault.models import VaultFile
from engineroom.payroll import selectors
from engineroom.payroll.documents import PayLine, PayslipDocument, render_payslips
from engineroom.payroll.engine.gb.gross_to_net import ELEMENTS
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import PayRun, TaxDetails
from engineroom.payroll.orders import TakenView, taken_on
from engineroom.payroll.services import find_run
from engineroom.people.models import BankAccount, Person
from engineroom.ui.display import Figure

KIND = "payroll.payslip"
RENDER_AT_ONCE = 200
"""Payslips typeset before they are stored: three to four seconds, and little memory however large the run."""

JOB = "payroll.print_payslips"


@dataclass(frozen=True)
class PayslipsIssued:
    run_id: UUID
    payslips: int
    left: int = 0

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@dataclass(frozen=True)
class PrintingPlanned:
    """missing: payslips that are not printed yet; with none of them, nothing was queued."""

    run_id: UUID
    missing: int

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.prepare")
def plan_printing(run_id: UUID) -> PrintingPlanned:
    """Have the payslips of a released run typeset in the background. While that goes on, it is not queued
    twice."""
    from engineroom.payroll.tasks import print_payslips_job

    run = _released(run_id)
    missing = len(_missing(run))
    if missing and not shown.is_queued(JOB, "run_id", run.id):
        print_payslips_job.configure(lock=f"print:{run.id}").defer(
            client_id=str(run.client_id), run_id=str(run.id), user_id=str(current_scope().user.id)
        )
    return PrintingPlanned(run.id, missing)


def _released(run_id: UUID) -> PayRun:
    run = find_run(run_id)
    if approvals.released("pay_run", run.id) is None:
        raise approvals.NotApproved(f"{run} is not released; payslips are issued from released runs only")
    return run


def _missing(run: PayRun) -> list[selectors.SlipView]:
    """The payslips of a run that are not in the vault, in the run's order."""
    slips = selectors.payslips(run)
    there = set(
        VaultFile.objects.filter(
            client_id=run.client_id, kind=KIND, subject_id__in=[s.id for s in slips]
        ).values_list("subject_id", flat=True)
    )
    return [s for s in slips if s.id not in there]


@command("payroll.prepare")
def issue_payslips(run_id: UUID, *, at_most: int | None = None) -> PayslipsIssued:
    """Typeset the payslips of a released run into the vault. Those that are there already stay as they are.

    at_most: a part of those that are missing, in the run's order; `left` says how many still are.
    """
    run = _released(run_id)
    missing = _missing(run)
    slips = missing[:at_most]
    for i in range(0, len(slips), RENDER_AT_ONCE):
        part = slips[i : i + RENDER_AT_ONCE]
        for slip, pdf in zip(part, render_payslips(documents(run, part)), strict=True):
            vault.store(
                pdf,
                name=f"payslip-{run.pay_date}-{slip.payroll_number}.pdf",
                kind=KIND,
                media_type="application/pdf",
                subject_id=slip.id,
            )
    return PayslipsIssued(run.id, len(slips), len(missing) - len(slips))


def documents(run: PayRun, slips: list[selectors.SlipView]) -> list[PayslipDocument]:
    """What each payslip shows, from the run's own figures."""
    assert run.published is not None, "a released run is published"
    client = Client.objects.get(id=run.client_id)
    ids = [s.person_id for s in slips]
    hours = selectors.paid_hours(run)
    people = {
        p.counterparty_id: p for p in Person.objects.filter(client_id=run.client_id, counterparty_id__in=ids)
    }
    ni_numbers = _ni_numbers([people[i] for i in ids])
    accounts = _masked_accounts(run, ids)
    weekly = _weekly_basis(run, ids)
    orders = taken_on(run.published_id)
    return [
        PayslipDocument(
            employer_name=client.name,
            paye_reference=client.details.get("paye_reference", ""),
            person_name=slip.name,
            payroll_number=slip.payroll_number,
            ni_number=ni_numbers[slip.person_id],
            tax_code=slip.tax_code,
            tax_code_basis="week 1" if slip.person_id in weekly else "cumulative",
            ni_category=slip.ni_category,
            pay_date=run.pay_date,
            tax_period=f"Tax week {run.tax_period}",
            period_from=run.period_starts,
            period_to=run.period_ends,
            pay=pay_lines(slip, hours.get(slip.person_id, [])),
            deductions=deductions_of(run, slip, orders.get(slip.person_id, ())),
            gross_minor=slip.figures["gross"],
            total_deductions_minor=slip.figures["gross"] - slip.figures["net_pay"],
            net_minor=slip.figures["net_pay"],
            payment_method="Bacs",
            bank_account=accounts.get(slip.person_id, ""),
            run_number=str(run.number),
            rules_hash=run.published.rules_hash,
            payslip_reference=f"{run.number}/{slip.payroll_number}",
            employer_contributions=_figures(slip, "employer"),
            to_date=[
                Figure("Taxable pay", slip.figures["taxable_pay_to_date"]),
                Figure("Tax", slip.figures["tax_to_date"]),
            ],
            holiday_accrued_minutes=slip.figures["holiday_accrued_minutes"],
        )
        for slip in slips
    ]


LABELS = {"basic": "Basic hours", "overtime": "Overtime", "weekend": "Weekend hours"}


def pay_lines(slip: selectors.SlipView, hours: list[selectors.Hours]) -> list[PayLine]:
    """The hours paid, by kind and rate, less what was given up of them; together they are gross pay."""
    lines = [PayLine(LABELS[h.kind], h.minutes, h.rate, h.amount) for h in hours]
    if sacrificed := slip.figures["salary_sacrifice"]:
        lines.append(PayLine("Salary sacrifice, paid to the pension", None, None, -sacrificed))
    return lines


def _figures(slip: selectors.SlipView, kind: str) -> list[Figure]:
    return [
        Figure(e.label, slip.figures[e.code]) for e in ELEMENTS if e.kind == kind and slip.figures[e.code]
    ]


def deductions_of(run: PayRun, slip: selectors.SlipView, taken: Sequence[TakenView]) -> list[Figure]:
    """Each deduction with its purpose (ERA 1996 s.8): orders one by one, where their sums would stand."""
    rules = jurisdiction(run.jurisdiction).orders
    sums = rules.takes if rules and taken else ()
    each = [Figure(f"{o.kind} {o.reference}, {o.creditor}", o.deduction) for o in taken if o.deduction]
    found: list[Figure] = []
    for e in ELEMENTS:
        if e.kind != "deduction":
            continue
        if e.code in sums:
            found += each if e.code == sums[0] else []
        elif slip.figures[e.code]:
            found.append(Figure(e.label, slip.figures[e.code]))
    return found


def _ni_numbers(people: list[Person]) -> dict[UUID, str]:
    texts = (
        reveal(people, "ni_number", purpose="payslips")
        if any(p.ni_number for p in people)
        else [""] * len(people)
    )
    return {p.counterparty_id: text or "" for p, text in zip(people, texts, strict=True)}


def _masked_accounts(run: PayRun, ids: list[UUID]) -> dict[UUID, str]:
    """The last four digits: enough for the payee to recognise the account, too little for anybody else."""
    current = BankAccount.objects.filter(lives_on(run.pay_date), client_id=run.client_id)
    rows = list(current.filter(person_id__in=ids))
    numbers = reveal(rows, "account_number", purpose="payslips")
    return {row.person_id: f"••••{(number or '')[-4:]}" for row, number in zip(rows, numbers, strict=True)}


def _weekly_basis(run: PayRun, ids: list[UUID]) -> set[UUID]:
    """Who is taxed on this week alone."""
    current = TaxDetails.objects.filter(lives_on(run.pay_date), client_id=run.client_id)
    return set(current.filter(person_id__in=ids, is_cumulative=False).values_list("person_id", flat=True))


def payslip_files(run: PayRun) -> list[VaultFile]:
    """The PDFs of a run's payslips, by name."""
    slips = [s.id for s in selectors.payslips(run)]
    return list(
        VaultFile.objects.filter(client_id=run.client_id, kind=KIND, subject_id__in=slips).order_by(
            "name", "id"
        )
    )
