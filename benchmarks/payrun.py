"""payrun: monthly paid people on salaries in one run, from terms to posted: calculated, persisted with trace,
moved to date, approved, released, posted, and everybody's net pay an open item.

The claim is 500,000 people at 2,500 payslips a second in under 2 GB; PAYRUN_PEOPLE says how many this time
(20,000 where it is not given), and the figure says for how many it holds. A chunk is 16,384 people.
"""

from __future__ import annotations

import os
import resource
import time
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.ground import a_firm, bench

if TYPE_CHECKING:
    from tests.firm import TestClient

PEOPLE = int(os.environ.get("PAYRUN_PEOPLE", "20000"))
PAY_DATE = date(2026, 6, 25)
FILE_ROWS = 50_000
PAPERS = int(os.environ.get("PAYRUN_PAPERS", "1000"))
"""How many payslips are printed, once the run is released."""


def main() -> None:
    with a_firm() as firm:
        from tests.payroll.months import open_run

        from engineroom.foundation.tenancy.scope import acting
        from engineroom.payday import steps
        from engineroom.payroll import services

        client = firm.new_client()
        _master_data(client)
        marks = [("start", time.perf_counter())]
        run_id = open_run(client, PAY_DATE)
        done = steps.calculate_run(client.staff["specialist"], client.id, run_id)
        marks.append(("calculate and publish", time.perf_counter()))
        with acting(client.staff["lead"], write=client.id):
            services.approve_pay_run(run_id, content_hash=done.content_hash)
        marks.append(("approve", time.perf_counter()))
        with acting(client.staff["checker"], write=client.id):
            released = services.release_pay_run(run_id)
        marks.append(("release and post", time.perf_counter()))
        assert released.payslips == PEOPLE and not done.blockers
        for (_, before), (name, after) in pairwise(marks):
            print(f"#   {name}: {after - before:.2f} s")
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"# {PEOPLE:,} people, {most:,.0f} MB at most in this process")
        _papers(client, run_id)
        rate = PEOPLE / (marks[-1][1] - marks[0][1])
        bench(
            "payslips_per_s",
            rate,
            "payslips/s",
            ratio=rate / 406,
            vs="406/s, the highest published run, on a 32-core server",
        )


def _papers(client: TestClient, run_id: UUID) -> None:
    """Payslips typeset, encrypted and in the vault, by one process; the database's share is counted too."""
    from engineroom.payroll import papers

    asked = min(PAPERS, PEOPLE)
    with client.acting():
        papers.issue_payslips(run_id, at_most=papers.RENDER_AT_ONCE)  # fonts and templates are read once
    left, begun, processor = asked, time.perf_counter(), time.process_time()
    printed = 0
    while left > 0:
        with client.acting():
            done = papers.issue_payslips(run_id, at_most=min(left, papers.RENDER_AT_ONCE))
        printed += done.payslips
        left -= papers.RENDER_AT_ONCE
    took, busy = time.perf_counter() - begun, time.process_time() - processor
    print(f"# {printed:,} PDFs in {took:.2f} s, {busy:.2f} s of this process's processor")
    bench("payslip_pdfs_per_s", printed / took, "PDFs/s", ratio=printed / took / 40, vs="40/s per core")
    bench("payslip_pdfs_per_cpu_s", printed / busy, "PDFs per second of one core")


def _master_data(client: TestClient) -> None:
    """People with accounts, tax details, terms and a place on the schedule, by files of FILE_ROWS rows."""
    from tests.payroll.months import monthly

    monthly(client, {})
    numbers = [f"P{n:06d}" for n in range(PEOPLE)]
    for first in range(0, PEOPLE, FILE_ROWS):
        part = numbers[first : first + FILE_ROWS]
        headings = ("payroll_number", "name", "start_date", "sort_code", "account_number")
        rows = [
            (n, f"Person {n}", "2026-01-05", "20-00-00", f"{i + first + 1:08d}") for i, n in enumerate(part)
        ]
        client.take("people", client.file(f"people-{first}.csv", headings, rows))
        headings = ("payroll_number", "from_date", "tax_code", "ni_category", "student_loan_plan")
        codes = ("1257L", "1257L", "1257L", "BR", "S1257L", "C1257L", "K475")
        details = [(n, "2026-01-01", codes[i % 7], "A", ("", "", "2")[i % 3]) for i, n in enumerate(part)]
        client.take("tax-details", client.file(f"tax-{first}.csv", headings, details))
        headings = ("payroll_number", "schedule", "from_date")
        places = [(n, "MONTHLY", "2026-01-01") for n in part]
        client.take("on-schedule", client.file(f"on-{first}.csv", headings, places))
    _terms(client)


def _terms(client: TestClient) -> None:
    """Everybody's salary, said at once as a file of terms would."""
    from engineroom.people import terms
    from engineroom.people.engine import Agreed, Stretch
    from engineroom.people.models import Employment

    with client.acting():
        employments = list(Employment.objects.filter(client_id=client.id))
        terms.say(
            [
                terms.Changed(
                    e, (), (Stretch(e.starts, None, Agreed("salary", (24_000 + n % 40_000) * 100, 2250)),)
                )
                for n, e in enumerate(employments)
            ],
            "taken over",
        )
