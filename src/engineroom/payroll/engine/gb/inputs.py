"""A chunk as the payroll service hands it over, read into int64 columns, or refused row by row.

Texts (tax code, frequency, category, plan, relief) become numbers; amounts are held inside the bounds for
which the steps' products fit 64 bits. A row that cannot be read is named with what is wrong and what to do;
it gets no number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from engineroom.kernel.money import format_minor
from engineroom.kernel.tables import Version, load_table
from engineroom.payroll.engine.elements import PayElements, all_elements
from engineroom.payroll.engine.gb import nic, pension, student_loan
from engineroom.payroll.engine.gb.pay_periods import FREQUENCIES, LAST_TAX_PERIOD, frequencies_of
from engineroom.payroll.engine.gb.tax_codes import tax_code_columns
from engineroom.payroll.engine.steps import Column, RowProblem, Unit, is_nought, same_for_all

Values: TypeAlias = str | int | Sequence[str] | Sequence[int] | npt.NDArray[np.int64] | npt.NDArray[np.str_]
"""A column of a chunk: texts or whole numbers, shape (n,); one alone stands for every row."""

MAX_PAY_PENCE = 10**11
"""A thousand million pounds, for one payslip and for the year to date; it bounds every product in the steps
(the largest is in paye.py)."""

MAX_MINUTES = 366 * 24 * 60
PPM_OF_ALL = 1_000_000
NOUNS: dict[Unit, str] = {
    "weeks": "a number of weeks",
    "days": "a number of days",
    "weekdays": "a set of weekdays (Monday 1, Tuesday 2, Wednesday 4, and so on, added)",
    "month": "a tax month",
    "periods": "a number of weeks or months",
    "years": "an age in years",
    "hundredths": "a number of hundredths of days",
    "row": "the number of a row",
}
"""What a number outside its bounds is not, by its unit."""

FAR_OUTSIDE = 2**62
"""Whole numbers beyond int64 are read as this, which every bound refuses."""


@dataclass(frozen=True, slots=True)
class NumberInput:
    """A column of whole numbers: its unit, its bounds (inclusive), and the value where it is not given."""

    unit: Unit
    most: int
    least: int = 0
    default: int | None = 0


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
    "holiday_accrues": NumberInput("flag", 1),
}
"""Columns of whole numbers a chunk may have. Without a default the column must be there."""

TEXTS: dict[str, str | None] = {
    "tax_code": None,
    "frequency": None,
    "ni_category": None,
    "student_loan_plan": "",
    "pension_relief": "",
    "director_method": "",
}
"""Columns of text a chunk may have, with the value where one is not given; None: it must be there."""


class BadChunk(ValueError):
    """The caller's mistake, not a person's: a column missing, unknown, or of another length or type."""


def read_chunk(
    chunk: Mapping[str, Values], versions: Mapping[str, Version], choices: Sequence[Choice]
) -> tuple[dict[str, Column], list[RowProblem]]:
    """The chunk's columns as int64, and every problem of every row, by row. Raises BadChunk.

    choices: choices_of(versions), made once for many chunks.
    """
    n = length_of(chunk, NUMBERS.keys() | TEXTS.keys())
    columns: dict[str, Column] = {}
    problems: list[RowProblem] = []
    for name, spec in NUMBERS.items():
        columns[name], more = read_number(name, chunk, spec, n)
        problems += more
    texts = {name: read_text(name, chunk, default, n) for name, default in TEXTS.items()}
    problems += _read_texts(texts, choices, columns)
    problems += _across_columns(columns)
    problems += _not_of_this_year(columns, versions["pay_elements"])
    return columns, sorted(set(problems))


def length_of(chunk: Mapping[str, Values], known: Collection[str]) -> int:
    """How many rows a chunk has. Raises BadChunk for a column that is not known, or of another length."""
    if unknown := sorted(chunk.keys() - set(known)):
        raise BadChunk(
            f"there is no input called {', '.join(unknown)}; inputs are {', '.join(sorted(known))}"
        )
    lengths = {name: len(v) for name, v in chunk.items() if not isinstance(v, str | int | np.integer)}
    if len(set(lengths.values())) > 1:
        raise BadChunk(f"the columns have different lengths: {lengths}")
    return next(iter(lengths.values()), 1)


def read_number(
    name: str, chunk: Mapping[str, Values], spec: NumberInput, n: int
) -> tuple[Column, list[RowProblem]]:
    """One column of whole numbers, shape (n,), and the rows outside its bounds. Raises BadChunk."""
    column = _numbers(name, chunk, spec.default, n)
    return column, list(_out_of_bounds(name, column, spec)) if name in chunk else []


def _numbers(name: str, chunk: Mapping[str, Values], default: int | None, n: int) -> Column:
    """The column, of shape (n,) and read only: one value for all stays one value in memory."""
    given = chunk.get(name, default)
    if given is None:
        raise BadChunk(f"the chunk has no column {name}")
    if type(given) is int and abs(given) < FAR_OUTSIDE:
        return same_for_all(given, n)
    raw = np.asarray(given)
    if raw.size == 0:
        return np.zeros(n, dtype=np.int64)
    if raw.dtype.kind in "uO" and all(isinstance(v, int | np.integer) for v in raw.flat):
        clipped = [max(-FAR_OUTSIDE, min(FAR_OUTSIDE, int(v))) for v in raw.flat]
        raw = np.array(clipped, dtype=np.int64).reshape(raw.shape)
    if raw.dtype.kind not in "ib":
        raise BadChunk(f"the column {name} is {raw.dtype}, not whole numbers; money is pence, never a float")
    return np.broadcast_to(raw.astype(np.int64, copy=False), (n,))


def _out_of_bounds(name: str, column: Column, spec: NumberInput) -> Iterator[RowProblem]:
    if not len(column) or (column.min() >= spec.least and column.max() <= spec.most):
        return  # of most columns, at a tenth of what looking at every row costs
    for row in np.flatnonzero((column < spec.least) | (column > spec.most)).tolist():
        yield RowProblem(row, name, *_bound_broken(int(column[row]), spec))


class TextColumn:
    """Texts as places in the list of different ones: many people share few codes, so each is read once.

    place: int64, shape (n,), into `different`, which is in order of first appearance.
    """

    def __init__(self, name: str, given: Values, n: int) -> None:
        place: dict[str, int] = _Places()
        if isinstance(given, str):
            self.place = same_for_all(place[given], n)
        else:
            texts = np.atleast_1d(given).tolist() if isinstance(given, np.ndarray | int) else given
            try:
                self.place = _places_of(texts, place)
            except TypeError as error:  # it cannot even be a key
                raise BadChunk(f"the column {name} is not text in every row") from error
        if not all(isinstance(text, str) for text in place):
            raise BadChunk(f"the column {name} is not text in every row")
        self.name, self.different = name, list(place)

    def numbered(self, number: Mapping[str, int]) -> Column:
        """Each row's number by its text."""
        return self.of_each(np.array([number[text] for text in self.different], dtype=np.int64))

    def of_each(self, of_different: Column) -> Column:
        """Each row's value, from those of the different texts."""
        if len(of_different) == 1:
            return same_for_all(int(of_different[0]), len(self.place))
        return of_different.take(self.place)

    def rows_of(self, texts: Collection[str]) -> list[tuple[int, str]]:
        """Row and text of the rows that have one of the texts."""
        wanted = [place for place, text in enumerate(self.different) if text in texts]
        rows = np.flatnonzero(np.isin(self.place, wanted)) if wanted else np.zeros(0, dtype=np.int64)
        return [(row, self.different[self.place[row]]) for row in rows.tolist()]


class _Places(dict[str, int]):
    """A text that is new gets the next place."""

    def __missing__(self, text: str) -> int:
        self[text] = place = len(self)
        return place


def _places_of(texts: Sequence[Any], place: Mapping[Any, int]) -> Column:
    """Each text's place; by way of bytes, which takes half the time, while there are no more than 256."""
    try:
        return np.frombuffer(bytes(map(place.__getitem__, texts)), dtype=np.uint8).astype(np.int64)
    except ValueError:
        return np.fromiter(map(place.__getitem__, texts), dtype=np.int64, count=len(texts))


def read_text(name: str, chunk: Mapping[str, Values], default: str | None, n: int) -> TextColumn:
    """One column of texts. Raises BadChunk when it is not there, or not text."""
    given = chunk.get(name, default)
    if given is None:
        raise BadChunk(f"the chunk has no column {name}")
    return TextColumn(name, given, n)


def _bound_broken(value: int, spec: NumberInput) -> tuple[str, str]:
    written = format_minor(value, symbol=True) if spec.unit == "pence" else f"{value:,} {spec.unit}"
    if abs(value) >= FAR_OUTSIDE:
        written = "the number"
    if spec.unit == "flag":
        return f"{value} is neither 0 nor 1", "Give 1 for yes and 0 for no"
    if spec.unit in NOUNS:
        return f"{value} is not {NOUNS[spec.unit]}", f"Give {spec.least:,} to {spec.most:,}"
    if spec.unit == "count":
        return (
            f"{value} is not a tax week or month",
            "Give the payday's tax week (1 to 56) or month (1 to 12)",
        )
    if value < spec.least:
        if spec.unit == "pence":
            return (
                f"{written} is below zero",
                "Pay of a period is not negative; correct the period it is for",
            )
        return f"{written} is below zero", "Give nought or more"
    most = format_minor(spec.most, symbol=True) if spec.unit == "pence" else f"{spec.most:,} {spec.unit}"
    return f"{written} is more than the {most} one person can have", "Check the amount and its decimal point"


Choice: TypeAlias = tuple[str, Sequence[str], Sequence[str], str]
"""A column of text: its name, the numbering of all that any year knows, what is allowed, and what it is."""


def choices_of(versions: Mapping[str, Version]) -> tuple[Choice, ...]:
    """A payslip's columns of text that say one of a few things, as the tables of a pay date have them."""
    return (
        ("frequency", FREQUENCIES, _frequencies(versions), "a pay frequency"),
        (
            "ni_category",
            *_categories(versions["ni_class1"]),
            "a National Insurance category of this tax year",
        ),
        (
            "student_loan_plan",
            student_loan.PLANS,
            _plans(versions["student_loan"]),
            "a loan plan of this tax year",
        ),
        ("pension_relief", pension.RELIEFS, pension.RELIEFS, "a way of pension tax relief"),
        ("director_method", nic.DIRECTOR_METHODS, nic.DIRECTOR_METHODS, "a method for directors"),
    )


def _read_texts(
    texts: Mapping[str, TextColumn], choices: Sequence[Choice], columns: dict[str, Column]
) -> list[RowProblem]:
    codes, refused = tax_code_columns(texts["tax_code"].different)
    columns.update((name, texts["tax_code"].of_each(column)) for name, column in codes.items())
    problems = [
        RowProblem(row, "tax_code", refused[text].problem, refused[text].remedy)
        for row, text in texts["tax_code"].rows_of(refused)
    ]
    for name, numbering, allowed, what in choices:
        columns[name], more = choose(texts[name], numbering, allowed, what)
        problems += more
    return problems


def choose(
    texts: TextColumn, numbering: Sequence[str], allowed: Sequence[str], what: str
) -> tuple[Column, list[RowProblem]]:
    """Each row's place in the numbering, and a problem for each row whose text is not allowed (place 0)."""
    wrong = {text for text in texts.different if text not in allowed}
    remedy = f"Give one of {', '.join(a or repr(a) for a in allowed)}"
    problems = [
        RowProblem(row, texts.name, f"{text!r} is not {what}", remedy) for row, text in texts.rows_of(wrong)
    ]
    number = {text: 0 if text in wrong else numbering.index(text) for text in texts.different}
    return texts.numbered(number), problems


def _categories(version: Version) -> tuple[Sequence[str], Sequence[str]]:
    return nic.CATEGORIES, [letter for letter in nic.CATEGORIES if letter in version["categories"]]


def _plans(version: Version) -> list[str]:
    return [plan for plan in student_loan.PLANS if not plan or plan in version["plans"]]


def _frequencies(versions: Mapping[str, Version]) -> list[str]:
    tables = [versions[name] for name in ("income_tax", "ni_class1", "student_loan")]
    return [f for f in FREQUENCIES if all(f in frequencies_of(version) for version in tables)]


def _across_columns(columns: Mapping[str, Column]) -> Iterator[RowProblem]:
    """What only two columns together can show."""
    frequency, period = columns["frequency"], columns["tax_period"]
    last = LAST_TAX_PERIOD[frequency]
    for row in np.flatnonzero(period > last).tolist():
        paid = FREQUENCIES[frequency[row]]
        problem = f"{period[row]} is not a tax period of someone paid {paid}"
        yield RowProblem(row, "tax_period", problem, f"Give 1 to {last[row]}")
    no_relief = (columns["pension_member"] == 1) & (columns["pension_relief"] == pension.NO_RELIEF)
    for row in np.flatnonzero(no_relief).tolist():
        remedy = f"Give one of {', '.join(pension.RELIEFS[1:])}"
        yield RowProblem(row, "pension_relief", "a pension member has no way of tax relief", remedy)
    for before in ("taxable_pay_to_date_before", "niable_pay_to_date_before"):
        yield from _beyond_all_bounds(columns, before)


def _beyond_all_bounds(columns: Mapping[str, Column], before: str) -> Iterator[RowProblem]:
    """Rows whose pay to date would be too much; what is refused on its own counts as its bound here."""
    given = [column for name in (*PAY, before) if not is_nought(column := columns[name])]
    if sum(int(column.max(initial=0)) for column in given) <= MAX_PAY_PENCE:
        return  # whoever has most of everything is within them
    to_date = sum(np.minimum(np.maximum(column, 0), MAX_PAY_PENCE) for column in given)
    for row in np.flatnonzero(to_date > MAX_PAY_PENCE).tolist():
        problem = f"pay to date with this payslip is more than {format_minor(MAX_PAY_PENCE, symbol=True)}"
        yield RowProblem(row, before, problem, "Check the amounts and their decimal points")


def _not_of_this_year(columns: Mapping[str, Column], version: Version) -> Iterator[RowProblem]:
    """Amounts of pay elements that the table of the pay date does not know."""
    for name in PAY:
        if name not in version.values:
            for row in np.flatnonzero(columns[name]).tolist():
                problem = f"the table pay_elements from {version.starts} knows no such element"
                known = ", ".join(PayElements.of(version).codes)
                yield RowProblem(row, name, problem, f"Pay it as one of {known}")
