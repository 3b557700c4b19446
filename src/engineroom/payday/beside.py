"""What a case pays, beside it on its page: whoever approves or releases there looks at the figures first."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from django.urls import reverse

from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.payday import steps
from engineroom.payroll.models import PayRun
from engineroom.settlement.models import PaymentBatch
from engineroom.sop import beside
from engineroom.sop.models import Case
from engineroom.ui.display import format_count


@beside.register
def paid_beside(case: Case) -> beside.Beside | None:
    """Links to the run, its invoices and its payment file, as far as the case's steps have made them."""
    if not current_scope().may("payroll.read", case.client_id):
        return None
    day = _day_of(case)
    if day.run is None:
        return None
    code = Client.objects.values_list("code", flat=True).get(id=case.client_id)
    people = format_count(day.run.payslips or 0, "person", "people")
    links = [(f"Pay run {day.run.number}, {people}", reverse("payroll:run", args=[code, day.run.number]))]
    if day.bill_run:
        words = f"Bill run {day.bill_run.number}"
        links.append((words, reverse("billing:run", args=[code, day.bill_run.number])))
    if day.batch:
        words = f"Payment file {day.batch.reference}"
        links.append((words, reverse("settlement:batch", args=[code, day.batch.number])))
    return beside.Beside("sop/about.html", links)


def _day_of(case: Case) -> steps.Payday:
    """By what the case's steps kept: a run of a schedule by its id, that of a payday by its date."""
    nothing = steps.Payday(None, None, None, run_released=False, issued=False)
    values = case.values
    if "run_hash" not in values:
        return nothing
    try:
        if "run_id" not in values:
            return steps.payday_of(date.fromisoformat(values.get("pay_date", "")))
        run_id = UUID(values["run_id"])
    except ValueError:
        return nothing
    run = PayRun.objects.filter(client_id=case.client_id, id=run_id).first()
    of_run = {"client_id": case.client_id, "subject_kind": "pay_run", "subject_id": run_id}
    return steps.Payday(run, None, PaymentBatch.objects.filter(**of_run).first(), False, False)
