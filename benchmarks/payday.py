"""payday: 10,000 weekly paid people at 200 customers, 5 time entries and 3 kinds of hour each, from accepted
file rows to posted, PDFs aside. Claim: at least 1,000 payslips a second on 2 cores.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ground import a_firm, bench

if TYPE_CHECKING:
    from tests.firm import Firm

PEOPLE, CUSTOMERS = 10_000, 200
WEEK = {0: "10", 1: "10", 2: "10", 3: "12:30", 5: "6"}
"""Hours by weekday: 42.5 hours Monday to Thursday, so Thursday splits at the 40-hour threshold, and a
Saturday: five entries, three kinds of hour, six charges each of a payable and a billable side.
"""


def main() -> None:
    with a_firm() as firm:
        from tests.firm import HOURS_HEADINGS, MONDAY, PAY_DATE, approve_payday

        from engineroom.foundation.imports import services as imports
        from engineroom.payday import steps

        _in_use(firm)
        client = firm.new_client()
        _master_data(client)
        hours = client.folder / "hours.csv"
        _write(hours, HOURS_HEADINGS, _hours(MONDAY))
        with client.acting():
            preview, problems = imports.preview("timesheets", hours)
            assert not problems
        marks = [("start", time.perf_counter())]
        with client.acting():
            taken = imports.take(preview.preview_id)
        marks.append(("take", time.perf_counter()))
        done = steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
        marks.append(("calculate", time.perf_counter()))
        approve_payday(client)
        marks.append(("approve", time.perf_counter()))
        _, issuing = steps.release_and_issue(client.staff["checker"], client.id, PAY_DATE)
        assert issuing.result()
        marks.append(("release and post", time.perf_counter()))
        assert done and done.published
        assert done.published.payslips == PEOPLE and not done.published.blockers
        print(f"# {taken.counts}")
        for (_, before), (name, after) in pairwise(marks):
            print(f"#   {name}: {after - before:.2f} s")
        rate = PEOPLE / (marks[-1][1] - marks[0][1])
        bench(
            "payslips_per_s",
            rate,
            "payslips/s",
            ratio=rate / 14,
            vs="14/s, the best published open-source payroll",
        )


def _in_use(firm: Firm) -> None:
    """Another client had a payday here before, and autovacuum, which looks once a minute, has looked: tables
    that were empty a moment ago are planned as such, and no bureau's are.
    """
    from django.db import connections
    from tests.firm import Temp, run_payday, set_up

    temps = [Temp(f"P{n:05d}", f"Person {n}", customer=f"K{n % 6:03d}") for n in range(60)]
    before = firm.new_client()
    set_up(before, temps)
    run_payday(before, temps)
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE")


def _master_data(client: object) -> None:
    from tests.firm import Temp, TestClient, set_up

    assert isinstance(client, TestClient)
    temps = [
        Temp(
            f"P{n:05d}",
            f"Person {n}",
            customer=f"K{n % CUSTOMERS:03d}",
            tax_code=("1257L", "1257L", "1257L", "BR", "S1257L", "C1257L", "K475")[n % 7],
            loan=("", "", "", "2", "5")[n % 5],
            pension=("relief_at_source", "", "net_pay")[n % 3],
            account=f"{n + 1:08d}",
        )
        for n in range(PEOPLE)
    ]
    set_up(client, temps)


def _hours(monday: date) -> Iterator[tuple[str, ...]]:
    for n in range(PEOPLE):
        number, assignment = f"P{n:05d}", f"P{n:05d}-K{n % CUSTOMERS:03d}"
        for day, worked in WEEK.items():
            yield assignment, number, (monday + timedelta(days=day)).isoformat(), worked, "approved", ""


def _write(path: Path, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(headings)
        writer.writerows(rows)
