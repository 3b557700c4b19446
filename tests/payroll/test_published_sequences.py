"""Every published sequence of paydays, paid as runs through the database, one after the other."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.firm import TestClient
from tests.payroll.months import Employee, calculated, figures, people

from engineroom.kernel.money import parse_minor
from engineroom.payroll import items, schedules, services
from engineroom.payroll.models import PaySchedule

ANCHORS = {"2025-26": date(2025, 4, 6), "2026-27": date(2026, 4, 6)}
BASIS = {"cumulative": "cumulative", "week1_month1": "week1"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Sequence_:
    """Paydays of one person from the year's first on, each going on from the one before."""

    year: str
    frequency: str
    rows: tuple[Row, ...]


def _rows(shared: Path) -> Iterator[Row]:
    with (shared / "vectors" / "gb.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            given, expected = json.loads(row["inputs"]), json.loads(row["expected"])
            if row["kind"] == "paye" and "tax_to_date" in expected:
                yield {**row, **given, **expected, "stem": re.sub(r"\d+$", "", row["id"])}


def sequences(shared: Path) -> list[Sequence_]:
    """Rows of a stem that follow one another by period and by what was paid before."""
    found: list[list[Row]] = []
    for row in _rows(shared):
        last = found[-1][-1] if found else None
        if last and _follows(last, row):
            found[-1].append(row)
        else:
            found.append([row])
    return [
        Sequence_(rows[0]["year"], rows[0]["frequency"], tuple(rows))
        for rows in found
        if len(rows) > 1 and rows[0]["period_no"] == "1"
    ]


def _follows(last: Row, row: Row) -> bool:
    return bool(
        last["stem"] == row["stem"]
        and int(row["period_no"]) == int(last["period_no"]) + 1
        and row["tax_paid_before"] == last.get("tax_to_date")
    )


@pytest.mark.behaviour("PAY-04")
@pytest.mark.behaviour("PAY-11")
def test_every_published_sequence_of_paydays_comes_out_of_the_database_to_the_penny(
    client: TestClient, shared: Path
) -> None:
    groups: dict[tuple[str, str], list[Sequence_]] = defaultdict(list)
    for sequence in sequences(shared):
        groups[sequence.year, sequence.frequency].append(sequence)
    assert sum(map(len, groups.values())) >= 12, "the published sequences are not found"
    wanted = [
        Employee(f"{year}-{frequency}-{n}", None, s.rows[0]["tax_code"], date(2025, 1, 6))
        for (year, frequency), found in groups.items()
        for n, s in enumerate(found)
    ]
    ids = people(client, *wanted, tax_from="2025-01-06")
    for (year, frequency), found in groups.items():
        numbers = [f"{year}-{frequency}-{n}" for n in range(len(found))]
        _pay(client, year, frequency, dict(zip(numbers, found, strict=True)), ids)


def _pay(
    client: TestClient, year: str, frequency: str, of: dict[str, Sequence_], ids: dict[str, Any]
) -> None:
    """A schedule whose periods are the tax year's own, and a run of each period."""
    with client.acting():
        code = f"{frequency}-{year[2:4]}"
        schedules.add_pay_schedule(
            code, code, frequency=frequency, anchor=ANCHORS[year], pay_rule="days_after", pay_day=0
        )
        schedule = PaySchedule.objects.get(client_id=client.id, code=code)
        periods = schedules.periods_from(schedule, ANCHORS[year], max(len(s.rows) for s in of.values()))
    for i, period in enumerate(periods):
        here = {number: s.rows[i] for number, s in of.items() if i < len(s.rows)}
        _code(
            client,
            {n: (s.rows[i - 1], s.rows[i]) for n, s in of.items() if 0 < i < len(s.rows)},
            period.starts,
        )
        with client.acting():
            run = services.open_pay_run(period.due, schedule=code, kind="off_cycle")
            assert run.tax_period == i + 1
            for number, row in here.items():
                items.add_pay_item(
                    ids[number],
                    "basic_pay",
                    parse_minor(row["pay"]),
                    period=period.ends,
                    reason=row["id"],
                    run_id=run.run_id,
                )
        calculated(client, run.run_id)
        slips = figures(client, run.run_id)
        assert _said(slips) == _published(here)


def _code(client: TestClient, changes: dict[str, tuple[Row, Row]], starts: date) -> None:
    """Tax details of those whose code or basis is another from this period on."""
    rows = [
        (number, starts, now["tax_code"], BASIS[now["basis"]], "A")
        for number, (before, now) in changes.items()
        if (before["tax_code"], before["basis"]) != (now["tax_code"], now["basis"])
    ]
    if rows:
        headings = ("payroll_number", "from_date", "tax_code", "basis", "ni_category")
        client.take("tax-details", client.file(f"codes-{rows[0][0]}-{starts}.csv", headings, rows))


def _said(slips: dict[str, dict[str, int]]) -> dict[str, tuple[int, ...]]:
    return {n: (s["paye"], s["tax_to_date"], s["taxable_pay_to_date"]) for n, s in sorted(slips.items())}


def _published(rows: dict[str, Row]) -> dict[str, tuple[int, ...]]:
    names: Sequence[str] = ("tax_this_period", "tax_to_date", "taxable_pay_to_date")
    return {n: tuple(parse_minor(row[name]) for name in names) for n, row in sorted(rows.items())}
