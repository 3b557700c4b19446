"""payrun: monthly paid people on salaries in one run, from terms to posted: calculated, persisted with trace,
moved to date, approved, released, posted, and everybody's net pay an open item. Then the same of many
clients in a batch, by two workers.

The claims are 500,000 people at 2,500 payslips a second in under 2 GB, and 500 clients of 40 people at 800 a
second; PAYRUN_PEOPLE and PAYRUN_CLIENTS say how many this time (20,000 and 50 where they are not given), and
the figures say for how many they hold. A chunk is 16,384 people.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import pairwise
from operator import sub
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import psutil

from benchmarks.ground import a_firm, bench, many_clients

if TYPE_CHECKING:
    from tests.firm import Firm, TestClient

PEOPLE = int(os.environ.get("PAYRUN_PEOPLE", "20000"))
CLIENTS = int(os.environ.get("PAYRUN_CLIENTS", "50"))
PEOPLE_OF_EACH = 40
PAY_DATE = date(2026, 6, 25)
FILE_ROWS = 50_000
PAPERS = int(os.environ.get("PAYRUN_PAPERS", "1000"))
"""How many payslips are printed, once the run is released."""
HIGHEST_PUBLISHED = 406
"""Payslips a second, on a 32-core server."""


def main() -> None:
    with a_firm() as firm:
        _one_run(firm)
        if CLIENTS:
            _many_clients(firm)


# --- one run of many people -------------------------------------------------------------------------------


def _one_run(firm: Firm) -> None:
    from tests.payroll.months import open_run

    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payday import steps
    from engineroom.payroll import services

    client = firm.new_client()
    _master_data(client, PEOPLE)
    _forget_the_peak()
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
    bench("payrun_most_mb", _peak_mb(), "MB", ratio=_peak_mb() / 2000, vs="2 GB")
    rate = PEOPLE / (marks[-1][1] - marks[0][1])
    print(f"# {PEOPLE:,} people in one run")
    vs = f"{HIGHEST_PUBLISHED}/s, the highest published run, on a 32-core server"
    bench("payslips_per_s", rate, "payslips/s", ratio=rate / HIGHEST_PUBLISHED, vs=vs)
    _papers(client, run_id)


def _forget_the_peak() -> None:
    """What making people took is not counted (Linux: proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    """The most memory that this process had in use since."""
    said = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert said is not None
    return int(said[1]) / 1024


# --- a batch of many clients ------------------------------------------------------------------------------


def _many_clients(firm: Firm) -> None:
    """Calculated by two workers, approved (not timed: people do that), released by two workers."""
    from engineroom.payroll import services
    from engineroom.payroll.models import PayRun

    clients = many_clients(firm, CLIENTS)
    for client in clients:
        _master_data(client, PEOPLE_OF_EACH)
    with _workers() as busy_s:
        before = busy_s()
        calculated = _batch(clients, "calculate", "specialist")
        between = busy_s()
        for client in clients:
            with client.acting("lead"):
                run = PayRun.objects.get(client_id=client.id)
                services.approve_pay_run(run.id, content_hash=bytes(run.content_hash or b"").hex())
        approved = busy_s()
        released = _batch(clients, "release", "checker")
        busy = [*map(sub, between, before), *map(sub, busy_s(), approved)]
    people = CLIENTS * PEOPLE_OF_EACH
    print(f"# {CLIENTS} clients of {PEOPLE_OF_EACH} people")
    for name, took in (("calculated", calculated), ("released", released)):
        print(f"#   {name}: {took:.2f} s, {people / took:,.0f} payslips/s")
    python, postgres = ((busy[i] + busy[i + 2]) * 1000 / CLIENTS for i in range(2))
    print(f"#   processor of a client: {python:.1f} ms of the workers, {postgres:.1f} ms of PostgreSQL's")
    bench("processor_ms_of_a_client_in_a_batch", python + postgres, "ms")
    rate = people / (calculated + released)
    bench("payslips_per_s_of_many_clients", rate, "payslips/s", ratio=rate / 800, vs="800/s")


def _batch(clients: Sequence[TestClient], action: str, role: str) -> float:
    """Seconds until every client has its result, which is done."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.kernel.ids import uuid7
    from engineroom.payroll import batch

    user, ids, batch_id = clients[0].staff[role], [client.id for client in clients], uuid7()
    began = time.perf_counter()
    batch.start(batch_id, ids, action, PAY_DATE, user)
    while True:
        with acting(user, read=ids):
            left = [p for p in batch.parts(batch_id) if p.outcome in ("queued", "working")]
        if not left:
            break
        time.sleep(0.2)
    took = time.perf_counter() - began
    with acting(user, read=ids):
        failed = [p.words for p in batch.parts(batch_id) if p.outcome != "done"]
    assert not failed, failed[:3]
    return took


@contextmanager
def _workers() -> Iterator[Callable[[], tuple[float, float]]]:
    """Two, as two cores bear; and how many seconds the processor was theirs, and PostgreSQL's, when asked."""
    from engineroom.foundation import postgres

    program = Path(sys.executable).parent / "engineroom"
    started = [subprocess.Popen([program, "worker"]) for _ in range(2)]
    server = postgres.status()
    assert server is not None

    def busy_s() -> tuple[float, float]:
        workers = [psutil.Process(worker.pid) for worker in started]
        return _processor_s(workers), _processor_s(psutil.Process(server.pid).children())

    try:
        while _waiting_workers() < len(started):
            time.sleep(0.5)
        yield busy_s
    finally:
        for worker in started:
            worker.terminate()
            worker.wait(60)


def _waiting_workers() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_workers")
        return int(cursor.fetchone()[0])


def _processor_s(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


# --- papers -----------------------------------------------------------------------------------------------


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


# --- people -----------------------------------------------------------------------------------------------


def _master_data(client: TestClient, many: int) -> None:
    """People with accounts, tax details, terms and a place on the schedule, by files of FILE_ROWS rows."""
    from tests.payroll.months import monthly

    monthly(client, {})
    numbers = [f"P{n:06d}" for n in range(many)]
    for first in range(0, many, FILE_ROWS):
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
        columns = ("payroll_number", "schedule", "from_date")
        places = [(n, "MONTHLY", "2026-01-01") for n in part]
        client.take("on-schedule", client.file(f"on-{first}.csv", columns, places))
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
