"""A client with people on a monthly schedule, in a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from tests.firm import TestClient

from engineroom.foundation.approvals import services as approvals
from engineroom.payroll import attempts, schedules, selectors, services
from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.models import AttemptChunk, PayRun
from engineroom.people import terms
from engineroom.people.engine import Agreed
from engineroom.people.models import Person

WHY = "as agreed"


@dataclass
class Employee:
    """Somebody on a salary, or on none. starts, ends: of the employment; salary: minor units a year."""

    number: str = "E1"
    salary: int | None = 36_000_00
    tax_code: str = "1257L"
    starts: date = date(2026, 1, 5)
    ends: date | None = None
    ni_category: str = "A"
    basis: str = "cumulative"
    loan: str = ""


def people(client: TestClient, *employees: Employee, tax_from: str = "2026-01-01") -> dict[str, UUID]:
    """Import them with tax details, and say their terms. Ids by payroll number."""
    rows = [
        (e.number, f"Person {e.number}", e.starts, e.ends or "", "20-00-00", f"{n:08d}")
        for n, e in enumerate(employees, 1)
    ]
    headings = ("payroll_number", "name", "start_date", "leave_date", "sort_code", "account_number")
    client.take("people", client.file("people.csv", headings, rows))
    headings = ("payroll_number", "from_date", "tax_code", "basis", "ni_category", "student_loan_plan")
    details = [(e.number, tax_from, e.tax_code, e.basis, e.ni_category, e.loan) for e in employees]
    client.take("tax-details", client.file("tax.csv", headings, details))
    with client.acting():
        found = dict(
            Person.objects.filter(client_id=client.id).values_list("payroll_number", "counterparty_id")
        )
        for e in employees:
            if e.salary is not None:
                agreed = Agreed("salary", e.salary, 2250)
                terms.set_terms(found[e.number], agreed, starts=e.starts, reason=WHY)
    return found


def monthly(
    client: TestClient, ids: Mapping[str, UUID], *, since: date = date(2026, 1, 1), **more: object
) -> None:
    """The schedule MONTHLY: calendar months, paid on the 25th; everybody is on it."""
    options = {
        "frequency": "monthly", "anchor": date(2026, 1, 1), "pay_rule": "day_of_month", "pay_day": 25, **more
    }  # fmt: skip
    with client.acting():
        schedules.add_pay_schedule("MONTHLY", "Monthly staff", **options)  # type: ignore[arg-type]
        for person in ids.values():
            schedules.put_on_schedule(person, "MONTHLY", starts=since)


def open_run(client: TestClient, pay_date: date, kind: str = "regular", schedule: str = "MONTHLY") -> UUID:
    with client.acting():
        return services.open_pay_run(pay_date, schedule=schedule, kind=kind).run_id


def calculated(client: TestClient, run_id: UUID) -> attempts.Published:
    with client.acting():
        plan = attempts.plan_calculation(run_id)
        chunks = AttemptChunk.objects.filter(client_id=client.id, attempt_id=plan.attempt_id, done_at=None)
        for chunk in chunks.order_by("chunk"):
            attempts.calculate_chunk(plan.attempt_id, chunk.chunk)
        return attempts.publish_attempt(plan.attempt_id)


def released(client: TestClient, run_id: UUID) -> services.RunReleased:
    with client.acting("lead"):
        run = services.find_run(run_id)
        assert run.content_hash is not None
        if approvals.released("pay_run", run_id) is None:
            services.approve_pay_run(run_id, content_hash=bytes(run.content_hash).hex())
    with client.acting("checker"):
        return services.release_pay_run(run_id)


def paid(client: TestClient, pay_date: date, kind: str = "regular") -> dict[str, dict[str, int]]:
    """Open, calculate and release a run; every payslip's figures by payroll number."""
    run_id = open_run(client, pay_date, kind)
    calculated(client, run_id)
    released(client, run_id)
    return figures(client, run_id)


def figures(client: TestClient, run_id: UUID) -> dict[str, dict[str, int]]:
    with client.acting("lead"):
        run = PayRun.objects.select_related("published").get(client_id=client.id, id=run_id)
        return {slip.payroll_number: slip.figures for slip in selectors.payslips(run)}


def blocked(client: TestClient, run_id: UUID) -> list[tuple[str, str]]:
    """Payroll number and field of every blocker."""
    with client.acting("lead"):
        return [(b.payroll_number, b.field) for b in blockers_of(services.find_run(run_id))]
