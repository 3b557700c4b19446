"""The figures of a British leaver's P45, on their page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from engineroom.foundation.approvals.models import Release
from engineroom.kernel.periods import GbTaxYear
from engineroom.payroll import selectors
from engineroom.payroll.models import PayRun, Payslip
from engineroom.people.models import Person
from engineroom.people.panels import register_panel
from engineroom.people.selectors import employments_of
from engineroom.ui.pages import PageRequest


@dataclass(frozen=True)
class LeaverFigures:
    """What a P45 says, from the payslips of the tax year: minor units. period: the week or month number.

    total_pay, total_tax: with earlier employment; None where the code is not cumulative (form P45, boxes 7).
    """

    last_day: date
    tax_code: str
    is_cumulative: bool
    period: int
    pay_here: int
    tax_here: int
    total_pay: int | None
    total_tax: int | None
    has_student_loan: bool


def leaver_figures(person: Person) -> LeaverFigures | None:
    """The figures of somebody who left; None before that, or without a payslip."""
    employments = employments_of(person.counterparty_id)
    if not employments or employments[0].ends is None:
        return None
    run = _last_run(person)
    details = selectors.tax_details_of(person.counterparty_id)
    if run is None or not details:
        return None
    sums = selectors.year_to_date(run, person.counterparty_id)
    pay, tax = sums.get("taxable_pay", 0), sums.get("paye", 0)
    first_day = GbTaxYear.of(run.law_date).first_day
    before = [d for d in details if d.starts >= first_day and (d.previous_pay or d.previous_tax)]
    earlier_pay, earlier_tax = (before[0].previous_pay, before[0].previous_tax) if before else (0, 0)
    now = details[0]
    return LeaverFigures(
        employments[0].ends,
        now.tax_code,
        now.is_cumulative,
        run.tax_period,
        pay,
        tax,
        pay + earlier_pay if now.is_cumulative else None,
        tax + earlier_tax if now.is_cumulative else None,
        bool(now.student_loan_plan or now.postgraduate_loan),
    )


def _last_run(person: Person) -> PayRun | None:
    """The last released British run, by pay date, that has a payslip of the person."""
    slips = Payslip.objects.filter(client_id=person.client_id, person_id=person.counterparty_id)
    released = Release.objects.filter(client_id=person.client_id, subject_kind="pay_run")
    runs = PayRun.objects.filter(
        client_id=person.client_id, jurisdiction="gb", id__in=released.values("subject_id")
    )
    return runs.filter(published_id__in=slips.values("attempt_id")).order_by("-pay_date", "-number").first()


def _of_leaver(request: PageRequest, person: Person) -> SafeString | None:
    """The panel on a leaver's page."""
    figures = leaver_figures(person)
    if figures is None:
        return None
    context: dict[str, Any] = {
        "figures": figures,
        "client": request.client,
        "hides_pay": "pay" in request.masked,
    }
    return render_to_string("payroll/leaver.html", context)


register_panel(_of_leaver, order=25)
