"""Payslips as people get them: PDFs of a released run, kept in the vault, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from engineroom.foundation import vault
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.commands import command
from engineroom.foundation.crypto.fields import reveal
from engineroom.foundation.dated import lives_on
from engineroom.foundation.jobs import shown
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.foundation.vault.models import VaultFile
from engineroom.payroll import debts, selectors
from engineroom.payroll.documents import EarnedTime, PayLine, PayslipDocument, render_payslips
from engineroom.payroll.inputs import HOURS
from engineroom.payroll.itemised import PaperOf, PapersAsked
from engineroom.payroll.jurisdictions import Jurisdiction, jurisdiction
from engineroom.payroll.models import PayRun
from engineroom.payroll.orders import TakenView, taken_on
from engineroom.payroll.repaid import REPAID
from engineroom.payroll.services import find_run
from engineroom.people.models import BankAccount
from engineroom.ui.display import Figure, format_money

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


# A part of a run's payslips is typeset at a time, so a part is found without reading the others.
MISSING = """
SELECT s.id FROM payroll_payslip s
JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
WHERE s.client_id = %(client)s AND s.attempt_id = %(attempt)s AND NOT EXISTS (
  SELECT FROM foundation_vaultfile f
  WHERE f.client_id = s.client_id AND f.kind = %(kind)s AND f.subject_id = s.id)
ORDER BY p.payroll_number COLLATE "C"
"""


def _missing(run: PayRun) -> list[UUID]:
    """The payslips of a run that are not in the vault, in the run's order."""
    with connection.cursor() as cursor:
        cursor.execute(MISSING, {"client": run.client_id, "attempt": run.published_id, "kind": KIND})
        return [row[0] for row in cursor.fetchall()]


@command("payroll.prepare")
def issue_payslips(run_id: UUID, *, at_most: int | None = None) -> PayslipsIssued:
    """Typeset the payslips of a released run into the vault. Those that are there already stay as they are.

    at_most: a part of those that are missing, in the run's order; `left` says how many still are.
    """
    run = _released(run_id)
    missing = _missing(run)
    slips = missing[:at_most]
    for i in range(0, len(slips), RENDER_AT_ONCE):
        part = selectors.payslips(run, slips[i : i + RENDER_AT_ONCE])
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
    """What each payslip shows, from the run's own figures, as the run's law has it itemised."""
    assert run.published is not None, "a released run is published"
    client = Client.objects.get(id=run.client_id)
    law = jurisdiction(run.jurisdiction)
    hours = selectors.paid_hours(run, [s.person_id for s in slips])
    accounts = _masked_accounts(run, [s.person_id for s in slips])
    asked = [PaperOf(s.person_id, s.tax_code, s.ni_category) for s in slips]
    facts = law.itemised.read_facts(PapersAsked(run.client_id, run.pay_date, client.details, asked))
    orders, owed = taken_on(run.published_id), debts.taken_on(run.published_id)
    return [
        PayslipDocument(
            employer_name=client.name,
            person_name=slip.name,
            payroll_number=slip.payroll_number,
            facts=facts.get(slip.person_id, ()),
            pay_date=run.pay_date,
            tax_period=law.itemised.period(run.frequency, run.tax_period),
            period_from=run.period_starts,
            period_to=run.period_ends,
            pay=pay_lines(law, slip, hours.get(slip.person_id, [])),
            deductions=deductions_of(
                law, slip, orders.get(slip.person_id, ()), owed.get(slip.person_id, ()), client.currency
            ),
            gross_minor=slip.figures["gross"],
            total_deductions_minor=slip.figures["gross"] - slip.figures["net_pay"],
            net_minor=slip.figures["net_pay"],
            payment_method=law.itemised.paid_by,
            bank_account=accounts.get(slip.person_id, ""),
            run_number=str(run.number),
            rules_hash=run.published.rules_hash,
            payslip_reference=f"{run.number}/{slip.payroll_number}",
            employer_contributions=_figures(law, slip, "employer"),
            to_date=[Figure(label, slip.figures[element]) for label, element in law.itemised.to_date],
            earned=_earned(law, slip),
            currency=client.currency,
        )
        for slip in slips
    ]


LABELS = {"basic": "Basic hours", "overtime": "Overtime", "weekend": "Weekend hours"}


def pay_lines(law: Jurisdiction, slip: selectors.SlipView, hours: list[selectors.Hours]) -> list[PayLine]:
    """What is paid, element by element, less what was given up of it; together they are gross pay.

    Hours that were worked stand by kind and rate. Whatever else an element pays is a line of its own; time
    that is paid for without a rate stands beside the first.
    """
    paid: dict[str, int] = {}
    lines = []
    for h in hours:
        lines.append(PayLine(LABELS[h.kind], h.minutes, h.rate, h.amount))
        paid[HOURS[h.kind]] = paid.get(HOURS[h.kind], 0) + h.amount
    minutes = slip.figures.get(MINUTES, 0) - sum(h.minutes for h in hours)
    for element in law.elements:
        if element.kind == "earning" and (left := slip.figures[element.code] - paid.get(element.code, 0)):
            lines.append(PayLine(element.label, minutes or None, None, left))
            minutes = 0
    given_up = [e for e in law.elements if e.kind == "reduction" and slip.figures[e.code]]
    return [*lines, *(PayLine(e.label, None, None, -slip.figures[e.code]) for e in given_up)]


MINUTES = "minutes_worked"


def _figures(law: Jurisdiction, slip: selectors.SlipView, kind: str) -> list[Figure]:
    return [
        Figure(e.label, slip.figures[e.code]) for e in law.elements if e.kind == kind and slip.figures[e.code]
    ]


def deductions_of(
    law: Jurisdiction,
    slip: selectors.SlipView,
    taken: Sequence[TakenView],
    owed: Sequence[debts.TakenView],
    currency: str,
) -> list[Figure]:
    """Each deduction with its purpose: orders and debts one by one, where their sums would stand."""
    sums = law.orders.takes if law.orders and taken else ()
    each = [Figure(f"{o.kind} {o.reference}, {o.creditor}", o.deduction) for o in taken if o.deduction]
    found: list[Figure] = []
    for e in law.elements:
        if e.kind != "deduction":
            continue
        if e.code in sums:
            found += each if e.code == sums[0] else []
        elif e.code == REPAID and owed:
            found += [Figure(debt_label(one, currency), one.amount) for one in owed]
        elif slip.figures[e.code]:
            found.append(Figure(e.label, slip.figures[e.code]))
    return found


def debt_label(one: debts.TakenView, currency: str) -> str:
    """ "Loan L1, 300.00 left"."""
    left = "" if one.left is None else f", {format_money(one.left, currency, symbol=False)} left"
    return f"{one.kind} {one.reference}{left}"


def _earned(law: Jurisdiction, slip: selectors.SlipView) -> EarnedTime | None:
    """Time that was earned. Of people who earn none by the hour nothing is said."""
    earned = law.itemised.earned
    if earned is None or not slip.figures[earned.element]:
        return None
    return EarnedTime(earned.heading, earned.label, slip.figures[earned.element])


def _masked_accounts(run: PayRun, ids: list[UUID]) -> dict[UUID, str]:
    """The last four digits: enough for the payee to recognise the account, too little for anybody else."""
    current = BankAccount.objects.filter(lives_on(run.pay_date), client_id=run.client_id)
    rows = list(current.filter(person_id__in=ids))
    numbers = reveal(rows, "account_number", purpose="payslips")
    return {row.person_id: f"••••{(number or '')[-4:]}" for row, number in zip(rows, numbers, strict=True)}


def payslip_files(run: PayRun) -> list[VaultFile]:
    """The PDFs of a run's payslips, by name."""
    slips = [s.id for s in selectors.payslips(run)]
    return list(
        VaultFile.objects.filter(client_id=run.client_id, kind=KIND, subject_id__in=slips).order_by(
            "name", "id"
        )
    )
