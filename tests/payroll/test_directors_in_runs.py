"""Directors' National Insurance by runs through the database: every published case that is no last payment
of a year, each a person whose year so far was carried in."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.firm import TestClient
from tests.payroll.months import Employee, calculated, figures, monthly, open_run, paid, people

from engineroom.kernel.money import parse_minor
from engineroom.payroll import items

HEADINGS = (
    "payroll_number", "from_date", "tax_code", "ni_category", "director", "director_weeks"
)  # fmt: skip
WEEKLY = {"frequency": "weekly", "anchor": date(2025, 4, 7), "pay_rule": "days_after", "pay_day": 5}
PAID = {
    ("2025-26", "weekly"): (WEEKLY, date(2026, 1, 16)),
    ("2025-26", "annual"): ({}, date(2026, 1, 23)),
    ("2026-27", "monthly"): ({}, date(2026, 6, 25)),
}
"""A payday for each, and its schedule. Who is assessed on the year has the same bands in any period of it."""


def _cases(shared: Path, of: tuple[str, str]) -> list[tuple[dict[str, Any], dict[str, str]]]:
    found = []
    with (shared / "vectors" / "gb.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["kind"] == "ni_director" and (row["year"], row["frequency"]) == of:
                said = json.loads(row["inputs"])
                if of[1] == "annual" or not said["is_final_period"]:
                    found.append((said, json.loads(row["expected"])))
    return found


@pytest.mark.parametrize("of", sorted(PAID))
def test_every_published_director_is_charged_by_a_run_on_the_year_so_far(
    client: TestClient, shared: Path, of: tuple[str, str]
) -> None:
    cases, (schedule, payday) = _cases(shared, of), PAID[of]
    assert cases
    employees = [Employee(f"D{n}", None, "NT", starts=date(2025, 4, 7)) for n in range(len(cases))]
    ids = people(client, *employees, tax_from="2025-04-06")
    details = [
        (e.number, "2025-04-07", "NT", said["category"], said["method"], said["weeks_in_prorata_period"])
        for e, (said, _) in zip(employees, cases, strict=True)
    ]
    client.take("tax-details", client.file("directors.csv", HEADINGS, details))
    monthly(client, ids, **schedule)
    with client.acting():
        for number, (said, _) in zip(ids, cases, strict=True):
            pay = parse_minor(said["pay"])
            before = {
                "niable_pay": parse_minor(said["pay_ytd_including"]) - pay,
                "employee_nic": parse_minor(said["employee_nic_ytd_before"]),
                "employer_nic": parse_minor(said["employer_nic_ytd_before"]),
            }
            items.add_pay_item(
                ids[number], "basic_pay", pay, period=payday - timedelta(days=7), reason="fees"
            )
            for element, amount in before.items():
                if amount:
                    items.carry_in(ids[number], of[0], element, amount, reason="the bureau before")
    run_id = open_run(client, payday)
    assert calculated(client, run_id).blockers == 0
    slips = figures(client, run_id)
    got = {n: (slips[n]["employee_nic"], slips[n]["employer_nic"]) for n in ids}
    assert got == {
        n: (parse_minor(expected["employee_nic"]), parse_minor(expected["employer_nic"]))
        for n, (_, expected) in zip(ids, cases, strict=True)
    }


def test_a_director_pays_nothing_until_the_years_threshold_and_the_runs_add_up_to_the_year(
    client: TestClient,
) -> None:
    """8,000.00 a month: 12,570.00 of the year are free, 8% to 50,270.00, 2% beyond (2026-27)."""
    ids = people(client, Employee("D1", 96_000_00))
    details = [("D1", "2026-04-06", "1257L", "A", "annual", 52)]
    client.take("tax-details", client.file("director.csv", HEADINGS, details))
    monthly(client, ids)
    paydays = [date(2026, 4, 24), date(2026, 5, 22), date(2026, 6, 25), date(2026, 7, 24)]
    charged = [paid(client, day)["D1"]["employee_nic"] for day in paydays]
    assert charged[0] == 0
    assert sum(charged) == round((32_000_00 - 12_570_00) * 0.08)
