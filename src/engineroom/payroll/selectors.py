"""Questions of payroll: a run's totals and people, a payslip with what it was calculated from, a re-run of an
old run."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from engineroom.foundation import vault
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.payroll.engine.gb import gross_to_net as gb
from engineroom.payroll.engine.gb.explain import explain as explain_row
from engineroom.payroll.models import Attempt, AttemptChunk, PayRun, Payslip


@dataclass(frozen=True)
class SlipView:
    """One published payslip with what a person reads beside it. figures: minor units or minutes by
    element."""

    id: UUID
    person_id: UUID
    payroll_number: str
    name: str
    tax_code: str
    ni_category: str
    figures: dict[str, int]


def run_of(pay_date: date) -> PayRun | None:
    """The regular weekly run of a pay date."""
    return PayRun.objects.filter(
        client_id=_client(), kind="regular", frequency="weekly", pay_date=pay_date
    ).first()


def run_numbered(number: int) -> PayRun | None:
    return PayRun.objects.filter(client_id=_client(), number=number).first()


def payslips(run: PayRun) -> list[SlipView]:
    """The published payslips by payroll number."""
    if run.published is None:
        return []
    elements = run.published.elements
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.id, s.person_id, p.payroll_number, p.name, s.tax_code, s.ni_category, s.amounts
            FROM payroll_payslip s JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
            WHERE s.client_id = %s AND s.attempt_id = %s ORDER BY p.payroll_number COLLATE "C"
            """,
            [run.client_id, run.published_id],
        )
        return [
            SlipView(id, person, number, name, code, category, dict(zip(elements, amounts, strict=True)))
            for id, person, number, name, code, category, amounts in cursor
        ]


def timesheets_waiting(through: date) -> int:
    """How many timesheets of the weeks through a day no run has taken in."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM timesheets_timesheet t WHERE t.client_id = %s AND t.week_ending <= %s "
            "AND NOT EXISTS (SELECT FROM payroll_paidtimesheet p "
            "WHERE p.client_id = t.client_id AND p.id = t.id)",
            [_client(), through],
        )
        return int(cursor.fetchone()[0])


def totals(run: PayRun) -> dict[str, int]:
    """Every element summed over the run."""
    slips = payslips(run)
    return {code: sum(s.figures[code] for s in slips) for code in (slips[0].figures if slips else ())}


@dataclass(frozen=True)
class RunFigures:
    """A run at a glance: payslips, and every element summed, minor units or minutes."""

    payslips: int
    totals: dict[str, int]


def run_figures(run: PayRun) -> RunFigures:
    """`totals` added up by PostgreSQL: for a page that shows no single payslip."""
    if run.published is None:
        return RunFigures(0, {})
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT place, sum(amount)::bigint, count(*) FROM payroll_payslip s
            CROSS JOIN LATERAL unnest(s.amounts) WITH ORDINALITY AS u (amount, place)
            WHERE s.client_id = %s AND s.attempt_id = %s GROUP BY place ORDER BY place
            """,
            [run.client_id, run.published_id],
        )
        rows = cursor.fetchall()
    codes = run.published.elements
    return RunFigures(rows[0][2] if rows else 0, {codes[place - 1]: total for place, total, _ in rows})


@dataclass(frozen=True)
class Hours:
    """What was paid for one kind of hour at one rate, for a payslip's lines."""

    kind: str
    rate: int
    minutes: int
    amount: int


def paid_hours(run: PayRun) -> dict[UUID, list[Hours]]:
    """Per person, the hours paid by kind and rate, in order of kind."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.person_id, c.kind, c.pay_rate, sum(c.minutes)::bigint, sum(c.pay_amount)::bigint
            FROM payroll_paidtimesheet pt
            JOIN timesheets_timesheet t ON t.client_id = pt.client_id AND t.id = pt.id
            JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
            JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
            JOIN timesheets_charge c ON c.client_id = e.client_id AND c.time_entry_id = e.id
            WHERE pt.client_id = %s AND pt.run_id = %s
            GROUP BY a.person_id, c.kind, c.pay_rate
            ORDER BY a.person_id, array_position(ARRAY['basic', 'overtime', 'weekend'], c.kind::text),
              c.pay_rate
            """,
            [run.client_id, run.id],
        )
        found: dict[UUID, list[Hours]] = {}
        for person, kind, rate, minutes, amount in cursor:
            found.setdefault(person, []).append(Hours(kind, rate, minutes, amount))
        return found


def explain(payslip_id: UUID) -> list[str]:
    """How one payslip was calculated, line by line, from the columns the run itself kept."""
    slip = Payslip.objects.select_related("attempt__run").get(client_id=_client(), id=payslip_id)
    chunk = AttemptChunk.objects.get(client_id=slip.client_id, attempt=slip.attempt, chunk=slip.chunk)
    trace = read_trace(chunk)
    columns = {name[4:]: values for name, values in trace.items() if name.startswith("out.")}
    return explain_row(slip.row, columns, gb.resolve_tables(slip.attempt.run.pay_date))


def read_trace(chunk: AttemptChunk) -> dict[str, Any]:
    """A chunk's arrays: `in.*` as read, `out.*` as calculated, `rows`, `payroll_number`."""
    assert chunk.trace is not None, "a chunk that is done has its trace"
    with np.load(io.BytesIO(vault.read(chunk.trace)), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


@dataclass(frozen=True)
class Recheck:
    """A re-run of a published run from its own kept inputs, under the tables of today's installation."""

    payslips: int
    different: int
    same_rules: bool
    rules_then: str
    rules_now: str
    engine_then: int
    engine_now: int

    @property
    def ok(self) -> bool:
        return self.different == 0


def recheck(run: PayRun) -> Recheck:
    """Calculate an old run again: the same pennies, or a count of payslips that differ and which version is
    to blame."""
    assert run.published_id is not None, "only a published run has been calculated"
    attempt = Attempt.objects.get(client_id=run.client_id, id=run.published_id)
    tables = gb.resolve_tables(run.pay_date)
    count = different = 0
    for chunk in AttemptChunk.objects.filter(client_id=run.client_id, attempt=attempt).order_by("chunk"):
        trace = read_trace(chunk)
        inputs = {name[3:]: _as_given(values) for name, values in trace.items() if name.startswith("in.")}
        done = gb.calculate(inputs, tables) if "rows" in trace else None
        rows = dict(
            Payslip.objects.filter(client_id=run.client_id, attempt=attempt, chunk=chunk.chunk).values_list(
                "row", "amounts"
            )
        )
        count += len(rows)
        if done is None:
            continue
        again = np.stack([done.columns[code] for code in attempt.elements], axis=1).tolist()
        different += sum(
            amounts != (again[row] if row < len(again) else None) for row, amounts in rows.items()
        )
    return Recheck(
        count,
        different,
        tables.hash == attempt.rules_hash,
        attempt.rules_hash,
        tables.hash,
        attempt.engine_version,
        gb.ENGINE_VERSION,
    )


def _as_given(values: Any) -> Any:
    """A kept array as the engine takes it: one value alone again, texts as a list."""
    if values.ndim == 0:
        return values.item()
    return values.tolist() if values.dtype.kind == "U" else values


def _client() -> UUID:
    scope = current_scope()
    return scope.write or scope.read[0]
