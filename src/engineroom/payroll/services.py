"""Pay runs: opened, calculated in chunks, published, approved, released.

Every step may be repeated: a killed process leaves whole chunks or none, and the same step again gives the
same pennies.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from itertools import chain
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from engineroom.foundation import numbering, vault
from engineroom.foundation.approvals import canonical
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.approvals.models import Release
from engineroom.foundation.columns import insert_columns
from engineroom.foundation.commands import command
from engineroom.foundation.failpoints import failpoint
from engineroom.foundation.prepared import planned_anew
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import Conflict, EngineroomError, NotFound, reason_given
from engineroom.kernel.ids import uuid7_column
from engineroom.kernel.periods import week_ending
from engineroom.payroll import repaid, sickness, withheld
from engineroom.payroll.account_map import unmapped
from engineroom.payroll.cut_off import closes
from engineroom.payroll.engine.steps import Calculation, RowProblem
from engineroom.payroll.handing_over import refuse_if_handed
from engineroom.payroll.inputs import (
    NOT_CALCULATED,
    REPLACEMENT,
    REVERSAL,
    STATED,
    ChunkInputs,
    Missing,
    people_in,
    read_inputs,
)
from engineroom.payroll.jurisdictions import (
    Jurisdiction,
    element_codes,
    jurisdiction,
    period_in_words,
    tables_of,
)
from engineroom.payroll.models import (
    Attempt,
    AttemptChunk,
    PaidItem,
    PaidTimesheet,
    PayRun,
    PaySchedule,
    Payslip,
    ReversedPayslip,
)
from engineroom.payroll.moved import moved_since, seen_now
from engineroom.payroll.results import Amounts, amounts_of, stated_amounts
from engineroom.payroll.returned import open_comments
from engineroom.payroll.schedules import find_schedule, paid_on, period_of_day
from engineroom.payroll.sickness import claim_lines, find_claims, has_claims, write_claims
from engineroom.payroll.withheld import content_lines, has_orders, kept_arrays, write_taken
from engineroom.timesheets.rates import cards_behind

CHUNK_PEOPLE = 16_384


class PayRunNotReady(Conflict):
    """The run still has blockers; each names the person and what to do about it."""

    def __init__(self, run: PayRun, blockers: Sequence[Missing], step: str = "approved") -> None:
        self.blockers = tuple(blockers)
        lines = [f"  {b.payroll_number}: {b.problem}. {b.remedy}" for b in self.blockers[:50]]
        super().__init__("\n".join([f"{run} cannot be {step}: {len(blockers)} blockers", *lines]))


class NothingToPay(EngineroomError):
    """No approved hours are waiting for this run."""

    status = 422


@dataclass(frozen=True)
class RunOpened:
    run_id: UUID
    number: int
    pay_date: date
    period_ends: date
    tax_year: str
    tax_period: int

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


KINDS = ("regular", "off_cycle", "bonus", "final", "correction", *STATED)
"""Regular pay is one run a period. The others pay the items that are for them, or state figures to date."""


@command("payroll.prepare")
def open_pay_run(pay_date: date, *, schedule: str = "", kind: str = "regular") -> RunOpened:
    """The regular run of a pay date: opened once, found again afterwards. Without a schedule it is the weekly
    run of timesheets, which pays the weeks that ended before (temps are paid a week in arrears).

    schedule: its code; then a regular run is of the period paid on that day. Any other kind is a run of its
    own each time: it lives beside the regular run of the same period and pays only the items for it.
    """
    client_id = current_scope().client_id
    if kind not in KINDS:
        raise EngineroomError(f"{kind!r} is not a kind of run; kinds are {', '.join(KINDS)}")
    if schedule:
        return _opened(_open_scheduled(find_schedule(schedule), pay_date, kind))
    if kind != "regular":
        raise EngineroomError(f"a {kind} run is one of a schedule: name it")
    run = PayRun.objects.filter(
        client_id=client_id, kind="regular", schedule=None, frequency="weekly", pay_date=pay_date
    ).first()
    if run is None:
        code = Client.objects.values_list("jurisdiction", flat=True).get(id=client_id)
        year, period = jurisdiction(code).year_of(pay_date), jurisdiction(code).period_of("weekly", pay_date)
        _refuse_out_of_order(client_id, pay_date, year.name, period)
        period_ends = week_ending(pay_date) - timedelta(days=7)
        run = PayRun.objects.create(
            client_id=client_id,
            pay_date=pay_date,
            period_starts=period_ends - timedelta(days=6),
            period_ends=period_ends,
            jurisdiction=code,
            tax_year=year.name,
            tax_period=period,
            number=numbering.take("pay-run"),
        )
    return _opened(run)


def _opened(run: PayRun) -> RunOpened:
    return RunOpened(run.id, run.number, run.pay_date, run.period_ends, run.tax_year, run.tax_period)


def _open_scheduled(schedule: PaySchedule, pay_date: date, kind: str) -> PayRun:
    """The run of a schedule that is paid on a day. Raises NoSuchPayday, Conflict."""
    law = jurisdiction(schedule.jurisdiction)
    if kind == "regular":
        period = paid_on(schedule, pay_date)
        runs = PayRun.objects.filter(client_id=schedule.client_id, kind="regular", schedule=schedule)
        if found := runs.filter(period_starts=period.starts).first():
            return found
        starts, ends, due, paid = period.starts, period.ends, period.due, period.paid
    else:
        within = period_of_day(schedule, pay_date)
        starts, ends, due = within.starts, within.ends, pay_date
        paid = law.banks.on_or_before(pay_date)
    _refuse_before_released(schedule, paid)
    return PayRun.objects.create(
        client_id=schedule.client_id,
        kind=kind,
        schedule=schedule,
        jurisdiction=law.code,
        frequency=schedule.frequency,
        pay_date=paid,
        due=due,
        period_starts=starts,
        period_ends=ends,
        tax_year=law.year_of(due).name,
        tax_period=law.period_of(schedule.frequency, due),
        number=numbering.take("pay-run"),
    )


def _refuse_before_released(schedule: PaySchedule, pay_date: date) -> None:
    released = Release.objects.filter(client_id=schedule.client_id, subject_kind="pay_run")
    runs = PayRun.objects.filter(client_id=schedule.client_id, schedule=schedule, pay_date__gt=pay_date)
    if later := runs.filter(id__in=released.values("subject_id")).order_by("pay_date").first():
        raise Conflict(f"{later} of {later.pay_date} is released; no run can be opened before it")


def _refuse_out_of_order(client_id: UUID, pay_date: date, year: str, period: int) -> None:
    """One regular run a tax week, and none before a released one: thresholds and figures to date would be
    wrong.
    """
    weekly = PayRun.objects.filter(
        client_id=client_id, kind="regular", schedule=None, frequency="weekly", tax_year=year
    )
    if same := weekly.filter(tax_period=period).first():
        raise Conflict(
            f"{same} of {same.pay_date} is the run of {period_in_words(same)}; "
            "late hours go into the next week's run"
        )
    released = Release.objects.filter(client_id=client_id, subject_kind="pay_run").values("subject_id")
    if later := weekly.filter(pay_date__gt=pay_date, id__in=released).order_by("pay_date").first():
        raise Conflict(f"{later} of {later.pay_date} is released; no run can be opened before it")


def find_run(run_id: UUID) -> PayRun:
    run = PayRun.objects.filter(client_id=current_scope().client_id, id=run_id).first()
    if run is None:
        raise NotFound(f"there is no pay run {run_id}")
    return run


@dataclass(frozen=True)
class AttemptPlanned:
    run_id: UUID
    attempt_id: UUID
    number: int
    chunks: int
    people: int

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.prepare")
def plan_calculation(run_id: UUID, *, in_background: bool = False) -> AttemptPlanned:
    """Take in the hours that wait, and plan the chunks of a new attempt. An unfinished attempt is taken up
    again.

    in_background: queue one job per chunk, in this transaction, for the workers.
    """
    run = PayRun.objects.select_for_update().get(id=find_run(run_id).id)
    if approvals.released("pay_run", run.id):
        raise Conflict(f"{run} is released: what was issued is frozen; correct it in another run")
    taken = _take_timesheets(run) if run.schedule_id is None and run.kind == "regular" else 0
    taken += _take_items(run)
    find_claims(run)
    last = Attempt.objects.filter(client_id=run.client_id, run=run).order_by("-number").first()
    people = people_in(run)
    tables = _tables_for(run, people)
    if last and not taken and run.published_id != last.id and last.rules_hash == tables.hash:
        attempt = last
    else:
        attempt = _new_attempt(run, last.number + 1 if last else 1, people, tables)
    chunks = list(AttemptChunk.objects.filter(client_id=run.client_id, attempt=attempt))
    if in_background:
        _queue(attempt, chunks)
    return AttemptPlanned(run.id, attempt.id, attempt.number, len(chunks), sum(c.people for c in chunks))


def _take_timesheets(run: PayRun) -> int:
    """Bind every unpaid timesheet of the weeks through the run's period to the run; its makers become the
    run's."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO payroll_paidtimesheet (id, client_id, run_id)
            SELECT t.id, t.client_id, %(run)s FROM timesheets_timesheet t
            WHERE t.client_id = %(client)s AND t.week_ending <= %(ends)s
              AND NOT EXISTS (SELECT FROM payroll_paidtimesheet p WHERE p.client_id = t.client_id AND p.id =
                t.id)
            """,
            {"client": run.client_id, "run": run.id, "ends": run.period_ends},
        )
        taken = cursor.rowcount
        cursor.execute(
            "SELECT DISTINCT t.taken_in_id FROM payroll_paidtimesheet p "
            "JOIN timesheets_timesheet t ON t.client_id = p.client_id AND t.id = p.id "
            "WHERE p.client_id = %s AND p.run_id = %s",
            [run.client_id, run.id],
        )
        imports = [row[0] for row in cursor.fetchall()]
    approvals.takes_in("pay_run", run.id, "import", imports)
    return int(taken)


TAKE_ITEMS = """
INSERT INTO payroll_paiditem (id, client_id, run_id)
SELECT i.id, i.client_id, %(run)s FROM payroll_payitem i
WHERE i.client_id = %(client)s AND i.withdrawn = ''
  AND NOT EXISTS (SELECT FROM payroll_paiditem p WHERE p.client_id = i.client_id AND p.id = i.id)
  AND CASE WHEN %(regular)s THEN i.run_id IS NULL AND i.period <= %(ends)s AND ({of_run} OR {of_leaver})
    AND (%(closes)s::date IS NULL OR (i.added_at AT TIME ZONE %(zone)s)::date <= %(closes)s)
    ELSE i.run_id = %(run)s END
FOR UPDATE OF i
"""
OF_SCHEDULE = """EXISTS (
    SELECT FROM payroll_onschedule o WHERE o.client_id = i.client_id AND o.person_id = i.person_id
      AND o.schedule_id = %(schedule)s AND o.starts <= %(ends)s
      AND (o.ends IS NULL OR o.ends >= %(starts)s))"""
# Back pay of somebody who is paid on no schedule any more comes with the one that they were paid on; that of
# a week's hours with the next week's.
OF_LEAVER = """EXISTS (
    SELECT FROM payroll_payrun o WHERE o.client_id = i.client_id AND o.id = i.original_id
      AND o.schedule_id IS NOT DISTINCT FROM %(schedule)s AND NOT EXISTS (
        SELECT FROM payroll_onschedule p WHERE p.client_id = i.client_id AND p.person_id = i.person_id
          AND p.starts <= %(ends)s AND (p.ends IS NULL OR p.ends >= %(starts)s)))"""
OF_TIMESHEETS = """i.person_id IN (
    SELECT a.person_id FROM payroll_paidtimesheet pt
    JOIN timesheets_timesheet t ON t.client_id = pt.client_id AND t.id = pt.id
    JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
    WHERE pt.client_id = i.client_id AND pt.run_id = %(run)s)"""


def _take_items(run: PayRun) -> int:
    """Bind the items that are this run's to it: those for it, or those of its people and period."""
    with connection.cursor() as cursor:
        cursor.execute(
            TAKE_ITEMS.format(of_run=OF_SCHEDULE if run.schedule_id else OF_TIMESHEETS, of_leaver=OF_LEAVER),
            {
                "client": run.client_id,
                "run": run.id,
                "schedule": run.schedule_id,
                "regular": run.kind == "regular",
                "starts": run.period_starts,
                "ends": run.period_ends,
                "closes": closes(run),
                "zone": jurisdiction(run.jurisdiction).zone,
            },
        )
        return int(cursor.rowcount)


def _tables_for(run: PayRun, people: Sequence[UUID]) -> Any:
    """The law of the run's payday, with the tables that only some runs need where these people need them."""
    law = jurisdiction(run.jurisdiction)
    of_orders = law.orders.tables if law.orders and has_orders(run, people) else ()
    of_claims = law.claims.tables if law.claims and has_claims(run) else ()
    return law.resolve_tables(run.law_date, (*of_orders, *of_claims))


def _new_attempt(run: PayRun, number: int, people: Sequence[UUID], tables: Any) -> Attempt:
    law = jurisdiction(run.jurisdiction)
    attempt = Attempt.objects.create(
        client_id=run.client_id,
        run=run,
        number=number,
        engine_version=law.engine_version,
        elements=element_codes(law),
        rules_hash=tables.hash,
        rules=[
            {
                "table": v.table,
                "from": v.starts.isoformat(),
                "source": v.source,
                "confidence": v.confidence,
                "hash": v.hash,
                "unverified": v.unverified(),
            }
            for v in tables.versions.values()
        ],
    )
    if not people:
        raise NothingToPay(_nothing_to_pay(run))
    AttemptChunk.objects.bulk_create(
        AttemptChunk(
            client_id=run.client_id,
            attempt=attempt,
            run_id=run.id,
            chunk=n,
            first_person=first,
            last_person=last,
            people=count,
        )
        for n, (first, last, count) in enumerate(_ranges(people))
    )
    return attempt


def _nothing_to_pay(run: PayRun) -> str:
    if run.schedule_id is None and run.kind == "regular":
        return f"no approved hours wait for {run} (weeks through {run.period_ends}); import timesheets first"
    if run.kind == "regular":
        days = f"from {run.period_starts} to {run.period_ends}"
        return f"nobody is on the schedule of {run} {days}; put people on it first"
    return f"no items are for {run}; add what it is to pay first"


def _ranges(people: Sequence[UUID]) -> list[tuple[UUID, UUID, int]]:
    """First and last id of each chunk, and how many of the people are in it. Together they cover every id, so
    that whoever comes after the plan is found missing from the run."""
    parts = [people[i : i + CHUNK_PEOPLE] for i in range(0, len(people), CHUNK_PEOPLE)]
    firsts = [UUID(int=0), *(part[0] for part in parts[1:])]
    lasts = [*(UUID(int=first.int - 1) for first in firsts[1:]), UUID(int=2**128 - 1)]
    return [(first, last, len(part)) for first, last, part in zip(firsts, lasts, parts, strict=True)]


def _queue(attempt: Attempt, chunks: Sequence[AttemptChunk]) -> None:
    from engineroom.payroll.tasks import calculate_chunk_job

    user = current_scope().user
    for chunk in chunks:
        if chunk.done_at is None:
            calculate_chunk_job.defer(
                client_id=str(attempt.client_id),
                attempt_id=str(attempt.id),
                chunk=chunk.chunk,
                user_id=str(user.id),
            )


@dataclass(frozen=True)
class ChunkDone:
    run_id: UUID
    attempt_id: UUID
    chunk: int
    payslips: int
    blocked: int

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.prepare")
def calculate_chunk(attempt_id: UUID, chunk: int) -> ChunkDone:
    """Calculate one chunk of an attempt and write its payslips and its trace. A chunk that is done stays as
    it is."""
    client_id = current_scope().client_id
    row = (
        AttemptChunk.objects.select_for_update()
        .filter(client_id=client_id, attempt_id=attempt_id, chunk=chunk)
        .first()
    )
    if row is None:
        raise NotFound(f"attempt {attempt_id} has no chunk {chunk}")
    if row.done_at is None:
        _calculate(row)
    payslips = Payslip.objects.filter(client_id=client_id, attempt_id=attempt_id, chunk=chunk).count()
    return ChunkDone(row.run_id, attempt_id, chunk, payslips, len(row.problems))


def _calculate(row: AttemptChunk) -> None:
    run, row.seen = find_run(row.run_id), seen_now()
    inputs = read_inputs(run, row.first_person, row.last_person)
    law = jurisdiction(run.jurisdiction)
    codes, picked, done = element_codes(law), list(range(len(inputs.person_id))), None
    refused: Sequence[RowProblem] = ()
    amounts = stated_amounts(codes, inputs)
    if inputs.person_id and run.kind not in NOT_CALCULATED:
        done = _calculated(law, run, row.attempt, inputs)
        picked, amounts, refused = amounts_of(law, codes, done, inputs.earlier)
    problems = [asdict(m) for m in inputs.missing]
    problems += [asdict(Missing(inputs.payroll_number[p.row], p.field, p.problem, p.remedy)) for p in refused]
    _write_payslips(row, inputs, picked, amounts)
    if inputs.orders and done:
        write_taken(row, inputs.orders, done, picked)
    if inputs.debts and done:
        repaid.write_taken(row, inputs.debts, done, picked)
    if inputs.claims:
        write_claims(row, inputs.claims, [inputs.person_id[i] for i in picked])
    if run.kind == REVERSAL and run.corrects and run.corrects.published_id:
        for beside in (withheld, repaid, sickness):
            beside.take_back(row, run.corrects.published_id, inputs.person_id)
    failpoint("calculate")
    row.problems = problems
    row.inputs_hash = inputs.hash()
    row.trace = _keep_trace(row, inputs, done)
    row.done_at = timezone.now()
    row.save(update_fields=["problems", "inputs_hash", "trace", "done_at", "seen"])


def _calculated(law: Jurisdiction, run: PayRun, attempt: Attempt, inputs: ChunkInputs) -> Calculation:
    tables = tables_of(law, run.law_date, attempt.rules)
    of_claims = law.claims.tables if law.claims and inputs.claims and inputs.claims.paid else ()
    of_orders = law.orders.tables if law.orders and inputs.orders else ()
    if not {*of_claims, *of_orders} <= tables.versions.keys():
        raise Conflict(f"an order or sickness came after {run} was planned; calculate it again")
    if inputs.orders is None:
        return law.calculate(inputs.columns, tables)
    return law.calculate(inputs.columns, tables, inputs.orders.columns)


def _write_payslips(row: AttemptChunk, inputs: ChunkInputs, picked: list[int], amounts: Amounts) -> None:
    """picked: the people who get one, by their place among the inputs; amounts: theirs, by element."""
    tax_code, ni_category = inputs.texts("tax_code"), inputs.texts("ni_category")
    n = len(picked)
    insert_columns(
        Payslip,
        {
            "id": uuid7_column(n),
            "client_id": row.client_id,
            "run_id": row.run_id,
            "attempt_id": row.attempt_id,
            "chunk": np.full(n, row.chunk, dtype=np.int32),
            "row": np.arange(n, dtype=np.int32),
            "person_id": [inputs.person_id[i] for i in picked],
            "tax_code": [tax_code[i] for i in picked],
            "ni_category": [ni_category[i] for i in picked],
            "amounts": amounts,
            "payee_fingerprint": [inputs.fingerprint[i] for i in picked],
        },
        n,
        casts={"payee_fingerprint": "bytea"},
    )


def _keep_trace(row: AttemptChunk, inputs: ChunkInputs, done: Any) -> VaultFile:
    """The chunk's inputs and every step's columns, in one encrypted file of NumPy arrays."""
    out = io.BytesIO()
    arrays: dict[str, Any] = {f"in.{name}": np.asarray(values) for name, values in inputs.columns.items()}
    arrays["payroll_number"] = np.array(inputs.payroll_number)
    if done is not None:
        arrays |= {f"out.{name}": values for name, values in done.columns.items()} | {"rows": done.rows}
    if inputs.earlier is not None:
        arrays["earlier"] = inputs.earlier
    if inputs.back is not None:
        arrays["back"] = inputs.back
    if inputs.orders:
        arrays |= kept_arrays(inputs.orders, done)
    np.savez(out, allow_pickle=False, **arrays)
    return vault.store(
        out.getvalue(),
        name=f"trace-{row.attempt_id}-{row.chunk}.npz",
        kind="payroll.trace",
        media_type="application/x-npz",
        subject_id=row.attempt_id,
    )


@dataclass(frozen=True)
class Published:
    run_id: UUID
    attempt_id: UUID
    payslips: int
    blockers: int
    content_hash: str
    approval_voided: bool

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.prepare")
def publish_attempt(attempt_id: UUID) -> Published:
    """Make a finished attempt the one that counts. The same content keeps an approval; any other voids it."""
    client_id = current_scope().client_id
    attempt = Attempt.objects.filter(client_id=client_id, id=attempt_id).first()
    if attempt is None:
        raise NotFound(f"there is no attempt {attempt_id}")
    if Attempt.objects.filter(client_id=client_id, run_id=attempt.run_id, number__gt=attempt.number).exists():
        raise Conflict("a later attempt has begun; calculate the run again")
    chunks = list(AttemptChunk.objects.filter(client_id=client_id, attempt=attempt).order_by("chunk"))
    if left := [c.chunk for c in chunks if c.done_at is None]:
        raise Conflict(f"{len(left)} of {len(chunks)} chunks are not calculated yet; calculate the run first")
    run = PayRun.objects.select_for_update().get(id=attempt.run_id)
    digest = content_hash(run, attempt)
    voided = approvals.void_if_changed(
        "pay_run", run.id, digest, f"recalculated: attempt {attempt.number} differs"
    )
    _take_in_makers(run)
    run.published = attempt
    run.content_hash = digest
    run.save(update_fields=["published", "content_hash"])
    failpoint("publish")
    payslips = Payslip.objects.filter(client_id=client_id, attempt=attempt).count()
    return Published(run.id, attempt.id, payslips, sum(len(c.problems) for c in chunks), digest.hex(), voided)


def _take_in_makers(run: PayRun) -> None:
    """Whoever entered the accounts, tax details or rates that the run pays by is a maker of the run.

    Master data has no approval of its own yet, so its makers must not check what is paid by it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT a.id FROM payroll_paidtimesheet p "
            "JOIN timesheets_timesheet t ON t.client_id = p.client_id AND t.id = p.id "
            "JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id "
            "WHERE p.client_id = %s AND p.run_id = %s",
            [run.client_id, run.id],
        )
        assignments = [row[0] for row in cursor.fetchall()]
    approvals.makers_of_parts("pay_run", run.id, "assignment", assignments)
    approvals.makers_of_parts("pay_run", run.id, "rate_card", cards_behind(assignments))
    approvals.makers_of_parts("pay_run", run.id, "person", people_in(run))


def content_hash(run: PayRun, attempt: Attempt) -> bytes:
    """SHA-256 of what an approver approves: the law, the inputs, every amount, and where each is paid
    today."""
    chunks = AttemptChunk.objects.filter(client_id=run.client_id, attempt=attempt).order_by("chunk")
    head = canonical.line(
        "pay_run",
        f"{run.kind} {run.frequency} {run.pay_date}",
        [
            ("tax_period", run.tax_period),
            ("engine_version", attempt.engine_version),
            ("rules", attempt.rules_hash),
            *(("inputs", bytes(c.inputs_hash or b"")) for c in chunks),
            *(("blocked", json.dumps(c.problems, sort_keys=True)) for c in chunks),
        ],
    )
    beside = [
        *content_lines(run.client_id, attempt.id),
        *claim_lines(run.client_id, attempt.id),
        *repaid.content_lines(run.client_id, attempt.id),
    ]
    return canonical.digest(chain([head], _payslip_lines(run, attempt), beside))


PAYSLIPS = """
SELECT p.payroll_number, s.tax_code, s.ni_category, b.fingerprint, s.amounts, b.account_name
FROM payroll_payslip s
JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
LEFT JOIN people_bankaccount b ON b.client_id = s.client_id AND b.person_id = s.person_id
  AND b.starts <= %(day)s AND (b.ends IS NULL OR b.ends >= %(day)s)
WHERE s.client_id = %(client)s AND s.attempt_id = %(attempt)s
ORDER BY p.payroll_number COLLATE "C"
"""


def _payslip_lines(run: PayRun, attempt: Attempt) -> Iterator[str]:
    """One line a payslip, by payroll number. Account and name on it are today's, so a change after approval
    shows. Read by parts: a run of half a million people has a gigabyte of them."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL cursor_tuple_fraction = 1")  # all of it is read
    with connection.chunked_cursor() as cursor:
        cursor.execute(PAYSLIPS, {"client": run.client_id, "attempt": attempt.id, "day": run.pay_date})
        while rows := cursor.fetchmany(CHUNK_PEOPLE):
            figures = zip(*(row[4] for row in rows), strict=True)
            columns: dict[str, Sequence[object]] = {
                "tax_code": [row[1] for row in rows],
                "ni_category": [row[2] for row in rows],
                "payee": [row[3] and bytes(row[3]) for row in rows],
                "payee_name": [row[5] for row in rows],
                **dict(zip(attempt.elements, figures, strict=True)),
            }
            yield from canonical.lines("payslip", [row[0] for row in rows], columns)


@planned_anew()
def blockers_of(run: PayRun) -> list[Missing]:
    """What keeps the run from being approved or released; each names the person and what to do. A released
    run has none.
    """
    if approvals.released("pay_run", run.id):
        return []
    found = [Missing(**p) for p in _problems_of(run)] + unpaid_of(run)
    found += [
        Missing(
            str(before),
            "pay date",
            f"{before} of {before.pay_date} is not released, so figures to date may still move",
            "Release the earlier run first",
        )
        for before in _unreleased_before(run)
    ]
    found += [
        Missing(
            comment.payroll_number or str(run),
            "comment",
            f"it was returned: {comment.text}",
            "Answer the comment, or change what it is about and calculate again",
        )
        for comment in open_comments(run)
    ]
    found += unmapped(run)
    if run.kind == REPLACEMENT and run.corrects and approvals.released("pay_run", run.corrects.id) is None:
        found.append(Missing(str(run.corrects), "reversal", *REVERSE_FIRST))
    if _is_stale(run):
        problem = "hours, tax details, accounts or figures to date changed after it was calculated"
        found.append(Missing(str(run), "inputs", problem, "Calculate the run again"))
    return found


def _unreleased_before(run: PayRun) -> list[PayRun]:
    """Earlier runs of the tax year that pay somebody of this one too, and are calculated but not released."""
    earlier = PayRun.objects.filter(
        client_id=run.client_id,
        frequency=run.frequency,
        tax_year=run.tax_year,
        published__isnull=False,
    ).filter(Q(pay_date__lt=run.pay_date) | Q(pay_date=run.pay_date, number__lt=run.number))
    earlier = earlier.exclude(
        id__in=Release.objects.filter(client_id=run.client_id, subject_kind="pay_run").values("subject_id")
    )
    return [before for before in earlier.order_by("pay_date") if _pay_the_same(run, before)]


def _pay_the_same(run: PayRun, other: PayRun) -> bool:
    """Whether anybody has a published payslip of both runs."""
    theirs = Payslip.objects.filter(client_id=run.client_id, attempt=other.published)
    mine = Payslip.objects.filter(client_id=run.client_id, attempt=run.published)
    return mine.filter(person_id__in=theirs.values("person_id")).exists()


REVERSE_FIRST = (
    "what this run pays anew is not taken back yet",
    "Calculate, approve and release the reversal first, then calculate this run",
)

UNPAID = """
SELECT p.payroll_number, sum(e.minutes)::bigint, coalesce(max(s.minutes), 0)::bigint
FROM payroll_paidtimesheet pt
JOIN timesheets_timesheet t ON t.client_id = pt.client_id AND t.id = pt.id
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
JOIN people_person p ON p.client_id = a.client_id AND p.id = a.person_id
JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
LEFT JOIN (
  SELECT s.client_id, s.person_id, s.amounts[array_position(k.elements, 'minutes_worked')] AS minutes
  FROM payroll_payslip s JOIN payroll_attempt k ON k.client_id = s.client_id AND k.id = s.attempt_id
  WHERE s.client_id = %(client)s AND s.attempt_id = %(attempt)s
) s ON s.client_id = p.client_id AND s.person_id = p.id
WHERE pt.client_id = %(client)s AND pt.run_id = %(run)s
GROUP BY p.client_id, p.id, p.payroll_number
HAVING sum(e.minutes) <> coalesce(max(s.minutes), 0) ORDER BY p.payroll_number COLLATE "C"
"""


def unpaid_of(run: PayRun) -> list[Missing]:
    """People whose hours the run took in but whose payslip does not pay them all: released, a line lost."""
    blocked = {p["payroll_number"] for p in _problems_of(run)}
    with connection.cursor() as cursor:
        cursor.execute(UNPAID, {"client": run.client_id, "run": run.id, "attempt": run.published_id})
        return [
            Missing(
                number,
                "hours",
                f"{took} minutes were taken in, the payslip pays {paid}",
                "Calculate the run again",
            )
            for number, took, paid in cursor.fetchall()
            if number not in blocked
        ]


def _problems_of(run: PayRun) -> list[dict[str, str]]:
    chunks = AttemptChunk.objects.filter(client_id=run.client_id, attempt=run.published)
    return [p for problems in chunks.values_list("problems", flat=True) for p in problems]


def _is_stale(run: PayRun) -> bool:
    """Whether a calculation now would start from other inputs than the published one did."""
    if run.published is None or not moved_since(run, run.published):
        return False
    chunks = AttemptChunk.objects.filter(
        client_id=run.client_id, attempt=run.published, done_at__isnull=False
    )
    return any(
        read_inputs(run, c.first_person, c.last_person).hash() != bytes(c.inputs_hash or b"") for c in chunks
    )


@dataclass(frozen=True)
class Approved:
    run_id: UUID
    approval_id: UUID
    content_hash: str

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.approve")
def approve_pay_run(run_id: UUID, *, content_hash: str) -> Approved:
    """Approve the run exactly as calculated; void if a penny changes afterwards.

    content_hash: of what the approver looked at. Raises PayRunNotReady, ContentChanged, MakerIsNotChecker.
    """
    run = find_run(run_id)
    if run.published_id is None or run.content_hash is None:
        raise Conflict(f"{run} is not calculated yet")
    if bytes(run.content_hash).hex() != content_hash:
        raise approvals.ContentChanged(f"{run} was recalculated since you looked; look again")
    refuse_if_handed(run)
    if blockers := blockers_of(run):
        raise PayRunNotReady(run, blockers)
    approval = approvals.approve("pay_run", run.id, bytes(run.content_hash))
    return Approved(run.id, approval.id, content_hash)


@dataclass(frozen=True)
class RunAbandoned:
    run_id: UUID
    timesheets: int

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.prepare")
def abandon_pay_run(run_id: UUID, *, reason: str) -> RunAbandoned:
    """Give the hours of a run that was never released back, to be paid by another: a mistyped pay date.

    An approval of it is voided. The run stays, without figures; the trail says why.
    """
    reason = reason_given(reason, 400)
    run = PayRun.objects.select_for_update().get(id=find_run(run_id).id)
    if approvals.released("pay_run", run.id):
        raise Conflict(f"{run} is released: what was issued is frozen; correct it in another run")
    approvals.void_if_changed("pay_run", run.id, b"", f"abandoned: {reason}")
    given_back, _ = PaidTimesheet.objects.filter(client_id=run.client_id, run=run).delete()
    PaidItem.objects.filter(client_id=run.client_id, run=run).delete()
    ReversedPayslip.objects.filter(client_id=run.client_id, run=run).delete()
    run.published, run.content_hash = None, None
    run.save(update_fields=["published", "content_hash"])
    return RunAbandoned(run.id, given_back)


@dataclass(frozen=True)
class RunReleased:
    """net: what is to be paid out, after what it takes back or replaces is set against it."""

    run_id: UUID
    batch_id: UUID | None
    payslips: int
    net: int

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.release")
def release_pay_run(run_id: UUID) -> RunReleased:
    """Release the approved run: it is frozen, its obligations are posted, and everybody's net pay is an open
    item.

    Compares the content as it stands now, bank accounts included, with what was approved.
    """
    from engineroom.payroll.posting import post_pay_run
    from engineroom.payroll.set_against import set_against

    run = PayRun.objects.select_for_update().get(id=find_run(run_id).id)
    if run.published is None:
        raise Conflict(f"{run} is not calculated yet")
    if approvals.released("pay_run", run.id):
        raise Conflict(f"{run} is released already")
    digest = content_hash(run, run.published)
    approval = approvals.standing("pay_run", run.id)
    if approval and bytes(approval.content_hash) == digest and (blockers := blockers_of(run)):
        raise PayRunNotReady(run, blockers, "released")
    approvals.release("pay_run", run.id, digest)
    posted = post_pay_run(run)
    net = set_against(run) if run.corrects_id else posted.net
    return RunReleased(run.id, posted.batch_id, posted.payslips, net)


def expected_payees(run_id: UUID) -> dict[UUID, bytes | None]:
    """For settlement: the account, by fingerprint, on which each payee of a run was approved to be paid."""
    run = find_run(run_id)
    rows = Payslip.objects.filter(client_id=run.client_id, attempt=run.published)
    return {
        person: bytes(account) if account else None
        for person, account in rows.values_list("person_id", "payee_fingerprint")
    }
