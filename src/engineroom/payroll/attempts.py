"""Attempts at a run: what waits is taken in, calculated chunk by chunk, and published.

A killed process leaves whole chunks or none, and the same step again gives the same pennies. A run of one
chunk goes all the way in one transaction, which leaves all of it or nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from django.utils import timezone

from engineroom.foundation import vault
from engineroom.foundation.approvals import canonical
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.columns import insert_columns
from engineroom.foundation.commands import command
from engineroom.foundation.failpoints import failpoint
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import Conflict, EngineroomError, NotFound
from engineroom.kernel.ids import uuid7_column
from engineroom.payroll import recurring, repaid, sickness, withheld
from engineroom.payroll.cut_off import closes
from engineroom.payroll.engine.steps import Calculation, RowProblem
from engineroom.payroll.inputs import (
    NOT_CALCULATED,
    REVERSAL,
    ChunkInputs,
    Missing,
    Person,
    everybody_in,
    read_inputs,
)
from engineroom.payroll.jurisdictions import Jurisdiction, element_codes, jurisdiction, tables_of
from engineroom.payroll.models import Attempt, AttemptChunk, PayRun, Payslip
from engineroom.payroll.moved import seen_now
from engineroom.payroll.results import Amounts, amounts_of, stated_amounts
from engineroom.payroll.sickness import claim_lines, find_claims, write_claims
from engineroom.payroll.traces import written_trace
from engineroom.payroll.withheld import content_lines, has_orders, kept_arrays, write_taken
from engineroom.timesheets.rates import cards_behind

CHUNK_PEOPLE = 16_384


class NothingToPay(EngineroomError):
    """No approved hours are waiting for this run."""

    status = 422


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
    planned = _plan(locked_run(run_id))
    if in_background:
        _queue(planned.attempt, planned.chunks)
    return planned.receipt


@dataclass(frozen=True)
class RunCalculated:
    """published: None of a run of several chunks, which are still to be calculated, a transaction each."""

    run_id: UUID
    plan: AttemptPlanned
    published: Published | None

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.prepare")
def calculate_pay_run(run_id: UUID) -> RunCalculated:
    """Take in what waits for a run, calculate it and publish it, all in this transaction, where it is one
    chunk; of a larger one plan the chunks, for `calculate_chunk` and `publish_attempt`."""
    planned = _plan(locked_run(run_id))
    published = _carried_through(planned) if len(planned.chunks) == 1 else None
    return RunCalculated(run_id, planned.receipt, published)


class TooManyToShow(EngineroomError):
    """The run has more people than are calculated while somebody waits."""

    status = 422


def calculate_for_show(run: PayRun, at_most: int | None = None) -> None:
    """A new attempt, calculated and published but for its trace: for whoever takes all that back (`preview`).
    Raises what calculating it would raise, and TooManyToShow for more people than at_most."""
    planned = _plan(locked_run(run.id), anew=True)
    if at_most is not None and len(planned.people) > at_most:
        raise TooManyToShow(
            f"{run} has {len(planned.people):,} people: more than {at_most:,} are previewed on the command "
            "line, with `engineroom payroll preview`"
        )
    _carried_through(planned, for_show=True)


@dataclass(frozen=True)
class _Planned:
    """An attempt that stands to be calculated. seen: what could be seen before who is in it was read. is_new:
    made in this transaction, so that nobody else has a chunk of it."""

    run: PayRun
    attempt: Attempt
    chunks: list[AttemptChunk]
    people: list[Person]
    seen: str
    is_new: bool

    @property
    def receipt(self) -> AttemptPlanned:
        people = sum(chunk.people for chunk in self.chunks)
        return AttemptPlanned(self.run.id, self.attempt.id, self.attempt.number, len(self.chunks), people)


def locked_run(run_id: UUID) -> PayRun:
    """The run, which nobody else calculates or releases until the transaction ends."""
    runs = PayRun.objects.select_for_update(of=("self",)).select_related("schedule")
    run = runs.filter(client_id=current_scope().client_id, id=run_id).first()
    if run is None:
        raise NotFound(f"there is no pay run {run_id}")
    return run


def _plan(run: PayRun, *, anew: bool = False) -> _Planned:
    """anew: whatever an unfinished attempt has calculated already."""
    if approvals.released("pay_run", run.id):
        raise Conflict(f"{run} is released: what was issued is frozen; correct it in another run")
    if over := over_for_good(run):
        raise Conflict(over)
    taken = _take_timesheets(run) if run.schedule_id is None and run.kind == "regular" else 0
    taken += _take_items(run)
    is_anybody_sick = find_claims(run)
    last = Attempt.objects.filter(client_id=run.client_id, run=run).order_by("-number").first()
    seen = seen_now()
    people = everybody_in(run)
    tables = _tables_for(run, [person for person, _ in people], is_anybody_sick)
    is_left = last is not None and not taken and not anew and last.number > (run.given_up_through or 0)
    if last and is_left and run.published_id != last.id and last.rules_hash == tables.hash:
        left = AttemptChunk.objects.filter(client_id=run.client_id, attempt=last)
        return _Planned(run, last, list(left.order_by("chunk")), people, seen, is_new=False)
    if not people:
        raise NothingToPay(_nothing_to_pay(run))
    attempt = _new_attempt(run, last.number + 1 if last else 1, tables)
    chunks = _new_chunks(attempt, [person for person, _ in people])
    return _Planned(run, attempt, chunks, people, seen, is_new=True)


def over_for_good(run: PayRun) -> str:
    """Why a run is not calculated any more, and what to do; empty where it may be.

    A reversal that was given up left its payslips to another, so there is nothing to pay anew either. Any
    other run that was given up takes in what waits: a replacement, its items.
    """
    given_up = run if run.kind == REVERSAL else run.corrects
    if given_up is None or given_up.given_up_through is None:
        return ""
    assert given_up.corrects is not None, "a reversal takes payslips back of a run"
    if given_up is run:
        return (
            f"{run} was given up, so it takes nothing back any more; "
            f"take the payslips of {given_up.corrects} back anew"
        )
    return (
        f"{given_up} was given up, so {run} has nothing to pay anew; "
        f"take the payslips of {given_up.corrects} back anew, to be replaced"
    )


def _carried_through(planned: _Planned, *, for_show: bool = False) -> Published:
    """Every chunk that is left calculated, and the attempt published, in this transaction."""
    run, attempt = planned.run, planned.attempt
    chunks = planned.chunks
    if not planned.is_new:
        chunks = [_locked_chunk(attempt.id, chunk.chunk) for chunk in chunks]
    everybody = planned.people if len(chunks) == 1 else None
    for chunk in chunks:
        if chunk.done_at is None:
            chunk.seen = planned.seen
            _calculate(run, attempt, chunk, everybody, keeps_trace=not for_show)
    return _publish(run, attempt, chunks, planned.people)


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


def _tables_for(run: PayRun, people: Sequence[UUID], is_anybody_sick: bool) -> Any:
    """The law of the run's payday, with the tables that only some runs need where these people need them."""
    law = jurisdiction(run.jurisdiction)
    of_orders = law.orders.tables if law.orders and has_orders(run, people) else ()
    of_claims = law.claims.tables if law.claims and is_anybody_sick else ()
    return law.resolve_tables(run.law_date, (*of_orders, *of_claims))


def _new_attempt(run: PayRun, number: int, tables: Any) -> Attempt:
    law = jurisdiction(run.jurisdiction)
    return Attempt.objects.create(
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


def _new_chunks(attempt: Attempt, people: Sequence[UUID]) -> list[AttemptChunk]:
    return AttemptChunk.objects.bulk_create(
        AttemptChunk(
            client_id=attempt.client_id,
            attempt=attempt,
            run_id=attempt.run_id,
            chunk=n,
            first_person=first,
            last_person=last,
            people=count,
        )
        for n, (first, last, count) in enumerate(_ranges(people))
    )


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
    row = _locked_chunk(attempt_id, chunk)
    if row.done_at is None:
        run = _run_of(row)
        row.seen = seen_now()
        _calculate(run, row.attempt, row)
    payslips = Payslip.objects.filter(client_id=row.client_id, attempt_id=attempt_id, chunk=chunk).count()
    return ChunkDone(row.run_id, attempt_id, chunk, payslips, len(row.problems))


def _run_of(row: AttemptChunk) -> PayRun:
    return PayRun.objects.select_related("schedule").get(client_id=row.client_id, id=row.run_id)


def _locked_chunk(attempt_id: UUID, chunk: int) -> AttemptChunk:
    """The chunk, which nobody else calculates until the transaction ends."""
    rows = AttemptChunk.objects.select_for_update()
    row = rows.filter(client_id=current_scope().client_id, attempt_id=attempt_id, chunk=chunk).first()
    if row is None:
        raise NotFound(f"attempt {attempt_id} has no chunk {chunk}")
    return row


def _calculate(
    run: PayRun,
    attempt: Attempt,
    row: AttemptChunk,
    everybody: Sequence[Person] | None = None,
    *,
    keeps_trace: bool = True,
) -> None:
    """everybody: who is in the run, where the chunk is all of it and they were read just now."""
    inputs = read_inputs(run, row.first_person, row.last_person, everybody)
    law = jurisdiction(run.jurisdiction)
    codes, picked, done = element_codes(law), list(range(len(inputs.person_id))), None
    refused: Sequence[RowProblem] = ()
    amounts = stated_amounts(codes, inputs)
    if inputs.person_id and run.kind not in NOT_CALCULATED:
        done = _calculated(law, run, attempt, inputs)
        picked, amounts, refused = amounts_of(law, codes, done, inputs.earlier)
    problems = [asdict(m) for m in inputs.missing]
    problems += [asdict(Missing(inputs.payroll_number[p.row], p.field, p.problem, p.remedy)) for p in refused]
    _write_payslips(row, inputs, picked, amounts)
    if inputs.orders and done:
        write_taken(row, inputs.orders, done, picked)
    if inputs.debts and done:
        repaid.write_taken(row, inputs.debts, done, picked)
    if inputs.instalments:
        recurring.write_paid(row, inputs.instalments, [inputs.person_id[i] for i in picked])
    if inputs.claims:
        write_claims(row, inputs.claims, [inputs.person_id[i] for i in picked])
    if run.kind == REVERSAL and run.corrects and run.corrects.published_id:
        for beside in (withheld, repaid, sickness, recurring):
            beside.take_back(row, run.corrects.published_id, inputs.person_id)
    failpoint("calculate")
    row.problems = problems
    row.inputs_hash = inputs.hash()
    row.trace = _keep_trace(row, inputs, done) if keeps_trace else None
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
    return vault.store(
        written_trace(arrays),
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
    run = locked_run(attempt.run_id)
    if attempt.number <= (run.given_up_through or 0):
        raise Conflict(f"{run} was given up while it was calculated; calculate it anew")
    return _publish(run, attempt, chunks, everybody_in(run))


# PostgreSQL counts what is published.
PUBLISH = """
UPDATE payroll_payrun SET published_id = %s, content_hash = %s WHERE client_id = %s AND id = %s
RETURNING payslips
"""


def _publish(
    run: PayRun, attempt: Attempt, chunks: Sequence[AttemptChunk], people: Sequence[Person]
) -> Published:
    digest = content_hash(run, attempt, chunks)
    voided = approvals.void_if_changed(
        "pay_run", run.id, digest, f"recalculated: attempt {attempt.number} differs"
    )
    _take_in_makers(run, [person for person, _ in people])
    with connection.cursor() as cursor:
        cursor.execute(PUBLISH, [attempt.id, digest, run.client_id, run.id])
        payslips = cursor.fetchone()[0]
    failpoint("publish")
    return Published(run.id, attempt.id, payslips, sum(len(c.problems) for c in chunks), digest.hex(), voided)


OF_HOURS = """
SELECT DISTINCT a.id FROM payroll_paidtimesheet p
JOIN timesheets_timesheet t ON t.client_id = p.client_id AND t.id = p.id
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
WHERE p.client_id = %s AND p.run_id = %s
"""


def _take_in_makers(run: PayRun, people: Sequence[UUID]) -> None:
    """Whoever entered the accounts, tax details or rates that the run pays by is a maker of the run.

    Master data has no approval of its own yet, so its makers must not check what is paid by it.
    """
    if run.schedule_id is None:  # one of a schedule takes no hours in
        with connection.cursor() as cursor:
            cursor.execute(OF_HOURS, [run.client_id, run.id])
            assignments = [row[0] for row in cursor.fetchall()]
        approvals.makers_of_parts("pay_run", run.id, "assignment", assignments)
        approvals.makers_of_parts("pay_run", run.id, "rate_card", cards_behind(assignments))
    approvals.makers_of_parts("pay_run", run.id, "person", people)


def content_hash(run: PayRun, attempt: Attempt, chunks: Sequence[AttemptChunk] | None = None) -> bytes:
    """SHA-256 of what an approver approves: which run it is and what for, the law, the inputs, every amount,
    and where each is paid today. chunks: of the attempt, in order, where they are at hand."""
    if chunks is None:
        rows = AttemptChunk.objects.filter(client_id=run.client_id, attempt=attempt)
        chunks = list(rows.order_by("chunk"))
    head = canonical.line(
        "pay_run",
        f"{run.kind} {run.frequency} {run.pay_date}",
        [
            ("run", str(run.id)),
            ("number", run.number),
            ("corrects", run.corrects_id and str(run.corrects_id)),
            ("schedule", run.schedule_id and str(run.schedule_id)),
            ("jurisdiction", run.jurisdiction),
            ("period_starts", run.period_starts),
            ("period_ends", run.period_ends),
            ("law_date", run.law_date),
            ("tax_year", run.tax_year),
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
        *recurring.content_lines(run.client_id, attempt.id),
    ]
    slips = _payslip_lines(run, attempt, sum(chunk.people for chunk in chunks))
    return canonical.digest(chain([head], slips, beside))


PAYSLIPS = """
SELECT p.payroll_number, s.tax_code, s.ni_category, b.fingerprint, s.amounts, b.account_name
FROM payroll_payslip s
JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
LEFT JOIN people_bankaccount b ON b.client_id = s.client_id AND b.person_id = s.person_id
  AND b.starts <= %(day)s AND (b.ends IS NULL OR b.ends >= %(day)s)
WHERE s.client_id = %(client)s AND s.attempt_id = %(attempt)s
ORDER BY p.payroll_number COLLATE "C"
"""


def _payslip_lines(run: PayRun, attempt: Attempt, people: int) -> Iterator[str]:
    """One line a payslip, by payroll number. Account and name on it are today's, so a change after approval
    shows. Read by parts: a run of half a million people has a gigabyte of them."""
    asked: dict[str, Any] = {"client": run.client_id, "attempt": attempt.id, "day": run.pay_date}
    if people <= CHUNK_PEOPLE:
        with connection.cursor() as cursor:
            cursor.execute(PAYSLIPS, asked)
            yield from _lines_of(attempt, cursor.fetchall())
        return
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL cursor_tuple_fraction = 1")  # all of it is read
    with connection.chunked_cursor() as cursor:
        cursor.execute(PAYSLIPS, asked)
        while rows := cursor.fetchmany(CHUNK_PEOPLE):
            yield from _lines_of(attempt, rows)


def _lines_of(attempt: Attempt, rows: Sequence[tuple[Any, ...]]) -> Iterable[str]:
    if not rows:
        return ()
    figures = zip(*(row[4] for row in rows), strict=True)
    columns: dict[str, Sequence[object]] = {
        "tax_code": [row[1] for row in rows],
        "ni_category": [row[2] for row in rows],
        "payee": [row[3] and bytes(row[3]) for row in rows],
        "payee_name": [row[5] for row in rows],
        **dict(zip(attempt.elements, figures, strict=True)),
    }
    return canonical.lines("payslip", [row[0] for row in rows], columns)
