"""Questions of payroll: a run's totals and people, a payslip with what it was calculated from, a re-run of an
old run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation import prepared
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import NotFound
from engineroom.payroll.client_approval import WANTED_OF_RUN
from engineroom.payroll.engine.lines import Line
from engineroom.payroll.engine.steps import Calculation
from engineroom.payroll.jurisdictions import Jurisdiction, jurisdiction, period_in_words, tables_of
from engineroom.payroll.models import Attempt, AttemptChunk, ClaimPaid, PayRun, Payslip, TaxDetails
from engineroom.payroll.results import amounts_of
from engineroom.payroll.returned import OPEN_COUNT
from engineroom.payroll.state import RunState, Standing, state_of
from engineroom.payroll.traces import as_given, read_trace, under
from engineroom.ui.listing import Order, Slice, read_slice


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
        client_id=current_client_id(), kind="regular", schedule=None, frequency="weekly", pay_date=pay_date
    ).first()


def run_numbered(number: int) -> PayRun | None:
    found = PayRun.objects.filter(client_id=current_client_id(), number=number)
    return found.select_related("published").first()


def named_run(number: int) -> PayRun:
    """The run that an address or a command names. Raises NotFound."""
    found = run_numbered(number) if number < 1 << 31 else None
    if found is None:
        latest = PayRun.objects.filter(client_id=current_client_id()).order_by("-number").first()
        raise NotFound(
            f"there is no pay run {number}; {f'the latest is {latest.number}' if latest else 'open one'}"
        )
    return found


def payslips(run: PayRun, ids: Sequence[UUID] | None = None) -> list[SlipView]:
    """The published payslips by payroll number; or those of them with these ids."""
    if run.published is None:
        return []
    elements = run.published.elements
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.id, s.person_id, p.payroll_number, p.name, s.tax_code, s.ni_category, s.amounts
            FROM payroll_payslip s JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
            WHERE s.client_id = %(client)s AND s.attempt_id = %(attempt)s
              AND (%(ids)s::uuid[] IS NULL OR s.id = ANY(%(ids)s)) ORDER BY p.payroll_number COLLATE "C"
            """,
            {
                "client": run.client_id,
                "attempt": run.published_id,
                "ids": None if ids is None else list(ids),
            },
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
            [current_client_id(), through],
        )
        return int(cursor.fetchone()[0])


def timesheets_waiting_of(clients: Sequence[UUID], through: date) -> dict[UUID, int]:
    """`timesheets_waiting` of many clients at once; of those that have none, nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.client_id, count(*) FROM timesheets_timesheet t WHERE t.client_id = ANY(%s) "
            "AND t.week_ending <= %s AND NOT EXISTS (SELECT FROM payroll_paidtimesheet p "
            "WHERE p.client_id = t.client_id AND p.id = t.id) GROUP BY t.client_id",
            [list(clients), through],
        )
        return dict(cursor.fetchall())


@dataclass(frozen=True)
class RunFigures:
    """A run at a glance: payslips, and every element summed, minor units or minutes."""

    payslips: int
    totals: dict[str, int]


def run_figures(run: PayRun) -> RunFigures:
    """What PostgreSQL added up when the run was published: for a page that shows no single payslip."""
    if run.published is None:
        return RunFigures(0, {})
    return RunFigures(run.payslips, dict(zip(run.published.elements, run.totals or (), strict=False)))


ASKING = "web.ask_approver"
"""What mails the client's approvers: a higher room's command, known here by what it leaves in the trail."""


def approval_asked_at(run: PayRun) -> datetime | None:
    """When the client was first asked to approve the run exactly as it stands."""
    if not run.content_hash:
        return None
    asked = AuditEvent.objects.filter(
        client_id=run.client_id,
        subject_kind="pay_run",
        subject_id=run.id,
        verb=ASKING,
        detail__result__content_hash=bytes(run.content_hash).hex(),
    )
    return asked.order_by("at").values_list("at", flat=True).first()


@dataclass(frozen=True)
class Hours:
    """What was paid for one kind of hour at one rate, for a payslip's lines."""

    kind: str
    rate: int
    minutes: int
    amount: int


def paid_hours_of(run: PayRun, person_id: UUID) -> list[Hours]:
    """The hours one person is paid for in a run, by kind and rate, in order of kind."""
    return paid_hours(run, [person_id]).get(person_id, [])


def paid_hours(run: PayRun, people: Sequence[UUID] | None = None) -> dict[UUID, list[Hours]]:
    """Per person, or for these of them, the hours paid by kind and rate, in order of kind."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.person_id, c.kind, c.pay_rate, sum(c.minutes)::bigint, sum(c.pay_amount)::bigint
            FROM payroll_paidtimesheet pt
            JOIN timesheets_timesheet t ON t.client_id = pt.client_id AND t.id = pt.id
            JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
            JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
            JOIN timesheets_charge c ON c.client_id = e.client_id AND c.time_entry_id = e.id
            WHERE pt.client_id = %(client)s AND pt.run_id = %(run)s
              AND (%(people)s::uuid[] IS NULL OR a.person_id = ANY(%(people)s))
            GROUP BY a.person_id, c.kind, c.pay_rate
            ORDER BY a.person_id, array_position(ARRAY['basic', 'overtime', 'weekend'], c.kind::text),
              c.pay_rate
            """,
            {
                "client": run.client_id,
                "run": run.id,
                "people": None if people is None else list(people),
            },
        )
        found: dict[UUID, list[Hours]] = {}
        for person, kind, rate, minutes, amount in cursor:
            found.setdefault(person, []).append(Hours(kind, rate, minutes, amount))
        return found


def explain(payslip_id: UUID) -> list[Line]:
    """How one payslip was calculated, line by line, from the columns the run itself kept."""
    of = _calculated(payslip_id)
    if not of.columns:
        return [NOT_CALCULATED_HERE]
    return [*of.law.explain(of.row, of.columns, of.tables), *of.orders(), *of.claims()]


def explanation(payslip_id: UUID) -> list[str]:
    """The same as text, and at the end the tables with their sources."""
    of = _calculated(payslip_id)
    if not of.columns:
        return [str(NOT_CALCULATED_HERE)]
    more = [*of.orders(), *of.claims()]
    return [*of.law.explanation(of.row, of.columns, of.tables), *map(str, more)]


NOT_CALCULATED_HERE = Line(
    "net", "Nothing was calculated here: the figures are stated, or those of a payslip with the other sign"
)


@dataclass(frozen=True)
class _Calculated:
    """A payslip's law, its row, the columns of its chunk and the orders in it, and the tables of its run."""

    law: Jurisdiction
    row: int
    columns: dict[str, Any]
    tables: Any
    rows: Any
    orders_of_chunk: dict[str, Any]
    claims_paid: list[ClaimPaid]

    def orders(self) -> list[Line]:
        """The orders against the payslip, line by line."""
        if self.law.orders is None or not self.orders_of_chunk:
            return []
        done = Calculation(self.columns, self.rows, [], self.orders_of_chunk)
        return self.law.orders.explain(int(self.rows[self.row]), done, self.tables)

    def claims(self) -> list[Line]:
        """What it pays of statutory payments, line by line."""
        rules = self.law.claims
        return [
            line
            for paid in self.claims_paid
            if rules
            for line in rules.explain(paid.claim.payment, paid.amount, paid.figures, self.tables)
        ]


def _calculated(payslip_id: UUID) -> _Calculated:
    slip = Payslip.objects.select_related("attempt__run").get(client_id=current_client_id(), id=payslip_id)
    chunk = AttemptChunk.objects.get(client_id=slip.client_id, attempt=slip.attempt, chunk=slip.chunk)
    trace = read_trace(chunk)
    law = jurisdiction(slip.attempt.run.jurisdiction)
    tables = tables_of(law, slip.attempt.run.law_date, slip.attempt.rules)
    columns, orders = under("out.", trace), under("order.", trace)
    paid = ClaimPaid.objects.select_related("claim").filter(
        client_id=slip.client_id, attempt=slip.attempt, person_id=slip.person_id
    )
    claims = list(paid.order_by("claim__first_day"))
    return _Calculated(law, slip.row, columns, tables, trace.get("rows"), orders, claims)


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
    law = jurisdiction(run.jurisdiction)
    tables = tables_of(law, run.law_date, attempt.rules)
    count = different = 0
    for chunk in AttemptChunk.objects.filter(client_id=run.client_id, attempt=attempt).order_by("chunk"):
        trace = read_trace(chunk)
        inputs = {name: as_given(values) for name, values in under("in.", trace).items()}
        orders = {name: as_given(values) for name, values in under("ordered.", trace).items()}
        done = law.calculate(inputs, tables, orders or None) if "rows" in trace else None
        rows = dict(
            Payslip.objects.filter(client_id=run.client_id, attempt=attempt, chunk=chunk.chunk).values_list(
                "row", "amounts"
            )
        )
        count += len(rows)
        if done is None:
            continue
        _, amounts, _ = amounts_of(law, attempt.elements, done, trace.get("earlier"))
        again = amounts.tolist()
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
        law.engine_version,
    )


# --- runs and payslips as pages list them -----------------------------------------------------------------


@dataclass(frozen=True)
class RunRow:
    """A run in a list, with how far it is. gross, net: minor units, nought before it is calculated.

    blockers: those that are noted; `review.as_it_stands` counts what has changed since as well.
    """

    number: int
    client_id: UUID
    id: UUID
    pay_date: date
    period_starts: date
    period_ends: date
    tax_year: str
    tax_period: int
    people: int
    gross: int
    net: int
    is_calculated: bool
    is_calculating: bool
    is_given_up: bool
    blockers: int
    is_checked: bool
    is_client_approved: bool
    is_released: bool
    in_file: bool
    is_cleared: bool
    is_locked: bool
    jurisdiction: str
    kind: str
    owes_back: bool
    is_taken_back: bool
    has_nothing_left: bool
    """Released with net pay, and all of it was set against what people had before: no file is for it."""
    frequency: str
    schedule: str
    """The name of its schedule; empty: the run of timesheets."""
    client_wants: str
    """Whether the client's own approval comes before its release: none, wanted or must."""

    @property
    def client_must(self) -> bool:
        """Nothing of it is released before the client's approval."""
        return self.client_wants == "must"

    @property
    def waits_for_client(self) -> bool:
        """It cannot be released, and the client's approval is what is missing."""
        return self.client_must and not self.is_client_approved and not self.is_released

    @property
    def kind_words(self) -> str:
        """What it is and for whom: "Bonus, Monthly staff"."""
        return f"{self.kind.replace('_', ' ').capitalize()}, {self.schedule or 'weekly timesheets'}"

    @property
    def is_of_timesheets(self) -> bool:
        return not self.schedule

    @property
    def tax_words(self) -> str:
        return period_in_words(self)

    @property
    def is_approved(self) -> bool:
        return self.is_checked or self.is_client_approved

    @property
    def state(self) -> RunState:
        pays_nobody = self.net == 0 or self.kind == "reversal" or self.has_nothing_left
        settled = self.is_released and not self.owes_back and (self.is_cleared or pays_nobody)
        return state_of(
            Standing(
                calculated=self.is_calculated,
                calculating=self.is_calculating,
                given_up=self.is_given_up,
                blockers=self.blockers,
                checked=self.is_checked,
                client_approved=self.is_client_approved,
                client_wants=self.client_wants == "wanted",
                client_must=self.client_must,
                released=self.is_released,
                in_file=self.in_file,
                settled=settled,
                closed=settled and self.is_locked,
                owes_back=self.owes_back,
                taken_back=self.is_taken_back,
                takes_back=self.kind == "reversal",
                nothing_left=self.has_nothing_left,
            )
        )


# A run's net pay goes out in one file: one of its items leads to the payment, and that to money in transit.
# Of a replacement, which is set against what people had, one that is paid at all.
RUNS = """
SELECT r.number, r.client_id, r.id, r.pay_date, r.period_starts, r.period_ends, r.tax_year, r.tax_period,
  r.payslips, coalesce(r.totals[array_position(k.elements, 'gross')], 0),
  coalesce(r.totals[array_position(k.elements, 'net_pay')], 0), r.published_id IS NOT NULL AS calculated,
  EXISTS (
    SELECT FROM payroll_attemptchunk c JOIN payroll_attempt a ON a.client_id = c.client_id
      AND a.id = c.attempt_id
    WHERE c.client_id = r.client_id AND a.run_id = r.id AND c.done_at IS NULL
      AND a.number > coalesce(r.given_up_through, 0) AND NOT EXISTS (
      SELECT FROM payroll_attempt later WHERE later.client_id = a.client_id AND later.run_id = a.run_id
        AND later.number > a.number)) AS calculating,
  r.given_up_through IS NOT NULL AND NOT EXISTS (
    SELECT FROM payroll_attempt a WHERE a.client_id = r.client_id AND a.run_id = r.id
      AND a.number > r.given_up_through) AS given_up,
  (SELECT coalesce(sum(jsonb_array_length(c.problems)), 0)::bigint FROM payroll_attemptchunk c
   WHERE c.client_id = r.client_id AND c.attempt_id = r.published_id) + {open_comments} AS blockers,
  coalesce(yes.of_firm, false) AS checked,
  coalesce(yes.of_client, false) AS client_approved,
  EXISTS (
    SELECT FROM foundation_release x WHERE x.client_id = r.client_id AND x.subject_kind = 'pay_run'
      AND x.subject_id = r.id) AS released,
  w.id IS NOT NULL AS in_file,
  w.id IS NOT NULL AND coalesce((
    SELECT sum(l.amount) FROM openitems_allocation l
    WHERE l.client_id = r.client_id AND (l.item_a_id = w.id OR l.item_b_id = w.id)), 0) = abs(w.amount)
    AS cleared,
  coalesce((
    SELECT l.locked_through FROM ledger_periodlock l WHERE l.client_id = r.client_id
    ORDER BY l.number DESC LIMIT 1) >= r.pay_date, false) AS locked,
  r.jurisdiction, r.kind,
  r.kind = 'reversal' AND EXISTS (
    SELECT FROM openitems_openitem i
    WHERE i.client_id = r.client_id AND i.subject_kind = 'pay_run' AND i.subject_id = r.id
      AND i.kind = 'net_pay_back' AND abs(i.amount) <> coalesce((
        SELECT sum(l.amount) FROM openitems_allocation l
        WHERE l.client_id = i.client_id AND (l.item_a_id = i.id OR l.item_b_id = i.id)), 0)) AS owes_back,
  r.payslips > 0 AND r.payslips = (
    SELECT count(*) FROM payroll_reversedpayslip v
    JOIN foundation_release x ON x.client_id = v.client_id AND x.subject_kind = 'pay_run'
      AND x.subject_id = v.run_id
    WHERE v.client_id = r.client_id AND v.original_id = r.id) AS taken_back,
  w.id IS NULL AND one.id IS NOT NULL AND NOT EXISTS (
    SELECT FROM openitems_openitem i
    WHERE i.client_id = r.client_id AND i.subject_kind = 'pay_run' AND i.subject_id = r.id
      AND i.kind = 'net_pay' AND abs(i.amount) <> coalesce((
        SELECT sum(l.amount) FROM openitems_allocation l
        WHERE l.client_id = i.client_id AND (l.item_a_id = i.id OR l.item_b_id = i.id)), 0)) AS nothing_left,
  r.frequency,
  coalesce((
    SELECT p.name FROM payroll_payschedule p
    WHERE p.client_id = r.client_id AND p.id = r.schedule_id), '') AS schedule,
  {client_wants} AS client_wants
FROM payroll_payrun r
LEFT JOIN payroll_attempt k ON k.client_id = r.client_id AND k.id = r.published_id
LEFT JOIN LATERAL (
  SELECT bool_or(NOT user_is_clients(v.user_id)) AS of_firm, bool_or(user_is_clients(v.user_id)) AS of_client
  FROM foundation_approval v
  WHERE v.client_id = r.client_id AND v.subject_kind = 'pay_run' AND v.subject_id = r.id
    AND v.content_hash = r.content_hash AND NOT EXISTS (
      SELECT FROM foundation_approvalvoid o WHERE o.client_id = v.client_id AND o.id = v.id)) yes ON true
LEFT JOIN LATERAL (
  SELECT i.id FROM openitems_openitem i WHERE i.client_id = r.client_id AND i.subject_kind = 'pay_run'
    AND i.subject_id = r.id AND i.kind = 'net_pay' AND NOT EXISTS (
      SELECT FROM payroll_reversedpayslip v
      JOIN payroll_payslip s ON s.client_id = v.client_id AND s.id = v.id
      WHERE v.client_id = i.client_id AND v.original_id = r.id AND s.person_id = i.counterparty_id)
  ORDER BY r.kind = 'replacement' AND NOT EXISTS (
    SELECT FROM openitems_allocation l
    JOIN openitems_openitem p ON p.client_id = l.client_id AND p.kind = 'payment'
      AND p.id = CASE WHEN l.item_a_id = i.id THEN l.item_b_id ELSE l.item_a_id END
    WHERE l.client_id = i.client_id AND (l.item_a_id = i.id OR l.item_b_id = i.id))
  LIMIT 1) one ON true
LEFT JOIN LATERAL (
  SELECT t.id, t.amount
  FROM openitems_allocation l
  JOIN openitems_openitem p ON p.client_id = l.client_id AND p.kind = 'payment'
    AND p.id = CASE WHEN l.item_a_id = one.id THEN l.item_b_id ELSE l.item_a_id END
  JOIN openitems_openitem t ON t.client_id = p.client_id AND t.subject_kind = p.subject_kind
    AND t.subject_id = p.subject_id AND t.kind = 'in_transit'
  WHERE l.client_id = r.client_id AND (l.item_a_id = one.id OR l.item_b_id = one.id) LIMIT 1) w ON true
WHERE {where}
""".replace("{open_comments}", OPEN_COUNT).replace("{client_wants}", WANTED_OF_RUN)

OF_CLIENT = "r.client_id = %(client)s"

LATEST_FIRST = Order((("number", "bigint"),), latest_first=True)


def runs(cursor: str = "") -> Slice[RunRow]:
    """Runs, latest number first."""
    values = {"client": current_client_id()}
    return read_slice(RUNS.format(where=OF_CLIENT), values, LATEST_FIRST, cursor, RunRow)


def run_row(number: int) -> RunRow | None:
    """By its key: planned once, which takes ten times as long as the answer."""
    values = {"client": current_client_id(), "number": number}
    found = prepared.rows(RUNS.format(where=f"{OF_CLIENT} AND r.number = %(number)s"), values)
    return RunRow(*found[0]) if found else None


def run_rows(ids: Sequence[UUID]) -> dict[UUID, RunRow]:
    """Runs of the client by their ids."""
    values: dict[str, Any] = {"client": current_client_id(), "ids": list(ids)}
    with connection.cursor() as cursor:
        cursor.execute(RUNS.format(where=f"{OF_CLIENT} AND r.id = ANY(%(ids)s)"), values)
        return {row[2]: RunRow(*row) for row in cursor.fetchall()}


UNRELEASED = """r.client_id = ANY(%(clients)s) AND r.pay_date >= %(since)s
  AND NOT EXISTS (SELECT FROM foundation_release x
                  WHERE x.client_id = r.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = r.id)
ORDER BY r.pay_date, r.number"""


def unreleased(clients: Sequence[UUID], since: date) -> list[RunRow]:
    """Runs of all these clients that are not released, by pay date."""
    with connection.cursor() as cursor:
        cursor.execute(RUNS.format(where=UNRELEASED), {"clients": list(clients), "since": since})
        return [RunRow(*row) for row in cursor.fetchall()]


PAID_BETWEEN = """r.client_id = ANY(%(clients)s) AND r.pay_date BETWEEN %(first)s AND %(last)s
ORDER BY r.pay_date, r.number"""


def paid_between(clients: Sequence[UUID], first: date, last: date) -> list[RunRow]:
    """Runs of all these clients that are paid from one day to another, by pay date."""
    values: dict[str, Any] = {"clients": list(clients), "first": first, "last": last}
    with connection.cursor() as cursor:
        cursor.execute(RUNS.format(where=PAID_BETWEEN), values)
        return [RunRow(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class CalculationProgress:
    """The attempt under way: people in chunks that are done, of all."""

    number: int
    done: int
    people: int


def calculation_under_way(run: PayRun) -> CalculationProgress | None:
    """How far the latest attempt is; None when it is done, or there is none."""
    last = Attempt.objects.filter(client_id=run.client_id, run=run).order_by("-number").first()
    if last is None:
        return None
    chunks = AttemptChunk.objects.filter(client_id=run.client_id, attempt=last)
    counted = list(chunks.values_list("people", "done_at"))
    if not counted or all(at is not None for _, at in counted):
        return None
    done = sum(people for people, at in counted if at is not None)
    return CalculationProgress(last.number, done, sum(people for people, _ in counted))


FEW = 500
"""People of a client whose rows are few: any plan that goes by keys is a good one for them."""


def has_few_people(client_id: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM people_person p WHERE p.client_id = %s LIMIT %s) few",
            [client_id, FEW + 1],
        )
        return int(cursor.fetchone()[0]) <= FEW


def people_waiting(pay_date_through: date, run_id: UUID | None = None) -> int:
    """How many people a calculation would pay: with hours no run has, or that this one has taken in."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT a.person_id) FROM timesheets_timesheet t "
            "JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id "
            "LEFT JOIN payroll_paidtimesheet p ON p.client_id = t.client_id AND p.id = t.id "
            "WHERE t.client_id = %s AND t.week_ending <= %s AND (p.id IS NULL OR p.run_id = %s)",
            [current_client_id(), pay_date_through, run_id],
        )
        return int(cursor.fetchone()[0])


@dataclass(frozen=True)
class SlipRow:
    """A payslip in a run's list. change: of net pay on the last run; None for who was not in it."""

    size: int
    number_key: str
    id: UUID
    payroll_number: str
    name: str
    tax_code: str
    minutes: int
    gross: int
    net: int
    change: int | None


SLIPS = """
SELECT {size} AS size, p.payroll_number COLLATE "C" AS number_key, s.id, p.payroll_number, p.name, s.tax_code,
  s.amounts[array_position(k.elements, 'minutes_worked')],
  s.amounts[array_position(k.elements, 'gross')],
  s.amounts[array_position(k.elements, 'net_pay')],
  s.amounts[array_position(k.elements, 'net_pay')] - b.net
FROM payroll_payslip s
JOIN payroll_attempt k ON k.client_id = s.client_id AND k.id = s.attempt_id
JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
LEFT JOIN (
  SELECT o.person_id, o.amounts[array_position(j.elements, 'net_pay')] AS net
  FROM payroll_payslip o JOIN payroll_attempt j ON j.client_id = o.client_id AND j.id = o.attempt_id
  WHERE o.client_id = %(client)s AND o.attempt_id = %(before)s) b ON b.person_id = s.person_id
WHERE s.client_id = %(client)s AND s.attempt_id = %(attempt)s {where}
"""

# Who is new is all change.
SIZE = "abs(s.amounts[array_position(k.elements, 'net_pay')] - coalesce(b.net, 0))::bigint"


def slips_listed(
    run: PayRun, before: PayRun | None, *, text: str = "", by_change: bool = False, cursor: str = ""
) -> Slice[SlipRow]:
    """A run's published payslips, by payroll number, or by the size of the change on the run before."""
    where = (
        "AND (strpos(lower(p.name), lower(%(text)s)) > 0 OR starts_with(lower(p.payroll_number), "
        "lower(%(text)s)))"
        if text
        else ""
    )
    values = {
        "client": run.client_id,
        "attempt": run.published_id,
        "before": before.published_id if before else None,
        "text": text,
    }
    sql = SLIPS.format(size=SIZE if by_change else "0::bigint", where=where)
    order = Order((("size", "bigint"), ("number_key", "text")), latest_first=by_change)
    return read_slice(sql, values, order, cursor, SlipRow)


def payslip_of(run: PayRun, payroll_number: str) -> SlipView | None:
    """One published payslip of a run."""
    slip = (
        Payslip.objects.select_related("person", "attempt")
        .filter(client_id=run.client_id, attempt=run.published_id, person__payroll_number=payroll_number)
        .first()
        if run.published_id
        else None
    )
    if slip is None:
        return None
    figures = dict(zip(slip.attempt.elements, slip.amounts, strict=True))
    person = slip.person
    return SlipView(
        slip.id, slip.person_id, person.payroll_number, person.name, slip.tax_code, slip.ni_category, figures
    )


def year_to_date(run: PayRun, person_id: UUID) -> dict[str, int]:
    """A person's published payslips of the run's tax year, this one included, added up by element."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT k.elements[u.place], sum(u.amount)::bigint
            FROM payroll_payslip s
            JOIN payroll_payrun r ON r.client_id = s.client_id AND r.published_id = s.attempt_id
            JOIN payroll_attempt k ON k.client_id = s.client_id AND k.id = s.attempt_id
            CROSS JOIN LATERAL unnest(s.amounts) WITH ORDINALITY AS u (amount, place)
            WHERE s.client_id = %s AND s.person_id = %s AND r.tax_year = %s
              AND (r.pay_date, r.number) <= (%s, %s)
            GROUP BY 1
            """,
            [run.client_id, person_id, run.tax_year, run.pay_date, run.number],
        )
        return dict(cursor.fetchall())


@dataclass(frozen=True)
class PersonSlip:
    """One of a person's payslips, for their page."""

    run: int
    pay_date: date
    is_released: bool
    gross: int
    net: int


def slips_of_person(person_id: UUID, limit: int = 12) -> list[PersonSlip]:
    """A person's published payslips, newest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT r.number, r.pay_date, EXISTS (
                SELECT FROM foundation_release x WHERE x.client_id = r.client_id
                  AND x.subject_kind = 'pay_run' AND x.subject_id = r.id),
              s.amounts[array_position(k.elements, 'gross')], s.amounts[array_position(k.elements, 'net_pay')]
            FROM payroll_payslip s
            JOIN payroll_payrun r ON r.client_id = s.client_id AND r.published_id = s.attempt_id
            JOIN payroll_attempt k ON k.client_id = s.client_id AND k.id = s.attempt_id
            WHERE s.client_id = %s AND s.person_id = %s ORDER BY r.pay_date DESC, r.number DESC LIMIT %s
            """,
            [current_client_id(), person_id, limit],
        )
        return [PersonSlip(*row) for row in cursor.fetchall()]


def tax_details_of(person_id: UUID) -> list[TaxDetails]:
    """How a person is and was taxed, newest first."""
    rows = TaxDetails.objects.filter(client_id=current_client_id(), person_id=person_id)
    return list(rows.order_by("-starts", "-id"))
