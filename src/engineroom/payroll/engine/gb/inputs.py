"""What a payslip is calculated from: the columns of a chunk, and what two of them together may not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from engineroom.kernel.money import format_minor
from engineroom.kernel.tables import Version, load_table
from engineroom.payroll.engine.elements import PayElements, all_elements
from engineroom.payroll.engine.gb import nic, pension, student_loan
from engineroom.payroll.engine.gb.pay_periods import FREQUENCIES, LAST_TAX_PERIOD, frequencies_of
from engineroom.payroll.engine.gb.tax_codes import tax_code_columns
from engineroom.payroll.engine.inputs import (
    MAX_PAY_PENCE,
    PPM_OF_ALL,
    Choice,
    Inputs,
    NumberInput,
    TextColumn,
    Values,
)
from engineroom.payroll.engine.steps import Column, RowProblem, is_nought, look_up, refuse

MAX_MINUTES = 366 * 24 * 60

TOO_MUCH_TO_DATE = f"pay to date with this payslip is more than {format_minor(MAX_PAY_PENCE, symbol=True)}"

PAY_ELEMENTS = all_elements(load_table(__package__ or "", "pay_elements"))
"""Every element of pay that any year of the table knows, in the order of the payslip."""

PAY = tuple(element.code for element in PAY_ELEMENTS)

NUMBERS: dict[str, NumberInput] = {
    **{name: NumberInput("pence", MAX_PAY_PENCE) for name in PAY},
    "tax_period": NumberInput("count", 56, 1, None),
    "week1_month1": NumberInput("flag", 1),
    "taxable_pay_to_date_before": NumberInput("pence", MAX_PAY_PENCE),
    "tax_to_date_before": NumberInput("pence", MAX_PAY_PENCE, -MAX_PAY_PENCE),
    "niable_pay_to_date_before": NumberInput("pence", MAX_PAY_PENCE),
    "employee_nic_to_date_before": NumberInput("pence", MAX_PAY_PENCE),
    "employer_nic_to_date_before": NumberInput("pence", MAX_PAY_PENCE),
    "director_weeks": NumberInput("weeks", nic.WEEKS_OF_A_DIRECTOR, 1, nic.WEEKS_OF_A_DIRECTOR),
    "director_final_payment": NumberInput("flag", 1),
    "has_postgraduate_loan": NumberInput("flag", 1),
    "pension_member": NumberInput("flag", 1),
    "pension_employee_ppm": NumberInput("ppm", PPM_OF_ALL),
    "pension_employer_ppm": NumberInput("ppm", PPM_OF_ALL),
    "minutes_worked": NumberInput("minutes", MAX_MINUTES),
    "debts_due": NumberInput("pence", MAX_PAY_PENCE),
    "protected_net": NumberInput("pence", MAX_PAY_PENCE),
    "holiday_accrues": NumberInput("flag", 1),
    "leave_minutes": NumberInput("minutes", MAX_MINUTES),
    "leave_week_minutes": NumberInput("minutes", MAX_MINUTES),
    "leave_week_pay": NumberInput("pence", MAX_PAY_PENCE),
    "leave_weeks_counted": NumberInput("weeks", 104),
}
"""Columns of whole numbers a chunk may have. Without a default the column must be there."""


def inputs_of(versions: Mapping[str, Version]) -> Inputs:
    """A payslip's columns, as the tables of a pay date know frequencies, categories and loan plans."""
    tables = [versions[name] for name in ("income_tax", "ni_class1", "student_loan")]
    frequencies = tuple(f for f in FREQUENCIES if all(f in frequencies_of(version) for version in tables))
    categories = tuple(c for c in nic.CATEGORIES if c in versions["ni_class1"]["categories"])
    plans = tuple(p for p in student_loan.PLANS if not p or p in versions["student_loan"]["plans"])
    category = "a National Insurance category of this tax year"
    choices = {
        "frequency": Choice(FREQUENCIES, "a pay frequency", allowed=frequencies),
        "ni_category": Choice(tuple(nic.CATEGORIES), category, allowed=categories),
        "student_loan_plan": Choice(student_loan.PLANS, "a loan plan of this tax year", "", plans),
        "pension_relief": Choice(pension.RELIEFS, "a way of pension tax relief", ""),
        "director_method": Choice(nic.DIRECTOR_METHODS, "a method for directors", ""),
    }
    return Inputs(NUMBERS, choices, others=("tax_code",))


def read_chunk(
    chunk: Mapping[str, Values], inputs: Inputs, pay_elements: Version
) -> tuple[dict[str, Column], list[RowProblem]]:
    """The chunk's columns as int64, and every problem of every row, by row. Raises BadChunk.

    inputs: inputs_of(versions), made once for many chunks.
    """
    columns, problems, n = inputs.read(chunk)
    problems += _read_tax_codes(TextColumn("tax_code", chunk["tax_code"], n), columns)
    problems += _across_columns(columns)
    problems += _not_of_this_year(columns, pay_elements)
    return columns, sorted(set(problems))


def _read_tax_codes(texts: TextColumn, columns: dict[str, Column]) -> list[RowProblem]:
    codes, refused = tax_code_columns(texts.different)
    columns.update((name, texts.of_each(column)) for name, column in codes.items())
    return [
        RowProblem(row, texts.name, refused[text].problem, refused[text].remedy)
        for row, text in texts.rows_of(refused)
    ]


def _across_columns(columns: Mapping[str, Column]) -> Iterator[RowProblem]:
    """What only two columns together can show."""
    frequency, period = columns["frequency"], columns["tax_period"]
    last = look_up(LAST_TAX_PERIOD, frequency)
    for row in np.flatnonzero(period > last).tolist():
        paid = FREQUENCIES[frequency[row]]
        problem = f"{period[row]} is not a tax period of someone paid {paid}"
        yield RowProblem(row, "tax_period", problem, f"Give 1 to {last[row]}")
    yield from refuse(
        (columns["pension_member"] == 1) & (columns["pension_relief"] == pension.NO_RELIEF),
        "pension_relief",
        "a pension member has no way of tax relief",
        f"Give one of {', '.join(pension.RELIEFS[1:])}",
    )
    yield from _beyond_all_bounds(columns)


def _beyond_all_bounds(columns: Mapping[str, Column]) -> Iterator[RowProblem]:
    """Rows whose pay to date would be too much; what is refused on its own counts as its bound here."""
    pay = [columns[name] for name in PAY if not is_nought(columns[name])]
    most = sum(int(column.max(initial=0)) for column in pay)
    for before in ("taxable_pay_to_date_before", "niable_pay_to_date_before"):
        if most + int(columns[before].max(initial=0)) <= MAX_PAY_PENCE:
            continue  # whoever has most of everything is within them
        to_date: Column = np.sum([np.clip(c, 0, MAX_PAY_PENCE) for c in (*pay, columns[before])], axis=0)
        wrong = to_date > MAX_PAY_PENCE
        yield from refuse(wrong, before, TOO_MUCH_TO_DATE, "Check the amounts and their decimal points")


def _not_of_this_year(columns: Mapping[str, Column], version: Version) -> Iterator[RowProblem]:
    """Amounts of pay elements that the table of the pay date does not know."""
    for name in PAY:
        if name not in version.values:
            problem = f"the table pay_elements from {version.starts} knows no such element"
            known = ", ".join(PayElements.of(version).codes)
            yield from refuse(columns[name] != 0, name, problem, f"Pay it as one of {known}")
