"""A chunk as its caller hands it over, read into int64 columns, or refused row by row.

Texts that say one of a few things become numbers; whole numbers are held inside the bounds for which the
steps' products fit 64 bits. A row that cannot be read is named with what is wrong and what to do; it gets no
number. Nothing here knows a country: its inputs are an `Inputs`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from engineroom.kernel.money import format_minor
from engineroom.payroll.engine.steps import Column, RowProblem, Unit, same_for_all

Values: TypeAlias = str | int | Sequence[str] | Sequence[int] | npt.NDArray[np.int64] | npt.NDArray[np.str_]
"""A column of a chunk: texts or whole numbers, shape (n,); one alone stands for every row."""

ALONE = (str, int, np.integer)
"""What stands for every row."""

MAX_PAY_PENCE = 10**11
"""A thousand million (pounds), for one payslip and for the year to date; it bounds every product in the
steps."""

PPM_OF_ALL = 1_000_000

NOUNS: dict[Unit, str] = {
    "count": "a tax week or month",
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


class BadChunk(ValueError):
    """The caller's mistake, not a person's: a column missing, unknown, or of another length or type."""


@dataclass(frozen=True, slots=True)
class NumberInput:
    """A column of whole numbers: its unit, its bounds (inclusive), and the value where it is not given."""

    unit: Unit
    most: int
    least: int = 0
    default: int | None = 0


@dataclass(frozen=True)
class Choice:
    """A column of text that says one of a few things: its number in columns is its place in `options`.

    default: where the column is not given; None: it must be. allowed: those of the options that this year
    knows; None: all of them.
    """

    options: tuple[str, ...]
    what: str
    default: str | None = None
    allowed: tuple[str, ...] | None = None

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Of each text that is allowed."""
        allowed = self.options if self.allowed is None else self.allowed
        return {text: self.options.index(text) for text in allowed}


@dataclass(frozen=True, eq=False)
class Inputs:
    """The columns a chunk may have, by name. others: those that its reader makes sense of by itself."""

    numbers: Mapping[str, NumberInput]
    choices: Mapping[str, Choice] = field(default_factory=dict)
    others: Collection[str] = ()

    def read(self, chunk: Mapping[str, Values]) -> tuple[dict[str, Column], list[RowProblem], int]:
        """Numbers and choices as columns of shape (n,), the problems of rows, and n. Raises BadChunk.

        A row with a problem has nought for a choice, and the number that is out of its bounds.
        """
        n = length_of(chunk, self._names)
        columns = {name: same_for_all(value, n) for name, value in self._where_not_given.items()}
        problems: list[RowProblem] = []
        for name in chunk:
            if number := self.numbers.get(name):
                columns[name] = column = _whole_numbers(name, chunk[name], n)
                problems += _out_of_bounds(name, column, number)
            elif choice := self.choices.get(name):
                columns[name], more = choose(TextColumn(name, chunk[name], n), choice)
                problems += more
        if missing := sorted(self._needed - chunk.keys()):
            raise BadChunk(f"the chunk has {', '.join(f'no column {name}' for name in missing)}")
        return columns, problems, n

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset({*self.numbers, *self.choices, *self.others})

    @cached_property
    def _needed(self) -> frozenset[str]:
        specs: dict[str, NumberInput | Choice] = {**self.numbers, **self.choices}
        return frozenset(self.others).union(name for name, spec in specs.items() if spec.default is None)

    @cached_property
    def _where_not_given(self) -> dict[str, int]:
        numbers = {name: s.default for name, s in self.numbers.items() if s.default is not None}
        choices = {name: c.place[c.default] for name, c in self.choices.items() if c.default is not None}
        return numbers | choices


def length_of(chunk: Mapping[str, Values], known: Collection[str]) -> int:
    """How many rows a chunk has. Raises BadChunk for a column that is not known, or of another length."""
    if unknown := sorted(name for name in chunk if name not in known):
        raise BadChunk(
            f"there is no input called {', '.join(unknown)}; inputs are {', '.join(sorted(known))}"
        )
    lengths = {name: len(v) for name, v in chunk.items() if not isinstance(v, ALONE)}
    if len(set(lengths.values())) > 1:
        raise BadChunk(f"the columns have different lengths: {lengths}")
    return next(iter(lengths.values()), 1)


def _whole_numbers(name: str, given: Values, n: int) -> Column:
    """The column, of shape (n,) and read only: one value for all stays one value in memory."""
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
    column: Column = raw.astype(np.int64, copy=False)
    if column.shape != (n,):
        return np.broadcast_to(column, (n,))
    column = column.view()
    column.flags.writeable = False
    return column


def _out_of_bounds(name: str, column: Column, spec: NumberInput) -> Iterator[RowProblem]:
    looked_at = column[:1] if column.strides == (0,) else column  # one value for all is looked at once
    # Without its sign a number below the least is one far above the most: one look tells both.
    above_least = looked_at - spec.least if spec.least else looked_at
    if not len(column) or np.maximum.reduce(above_least.view(np.uint64)) <= spec.most - spec.least:
        return
    for row in np.flatnonzero((column < spec.least) | (column > spec.most)).tolist():
        yield RowProblem(row, name, *_bound_broken(int(column[row]), spec))


def _bound_broken(value: int, spec: NumberInput) -> tuple[str, str]:
    if spec.unit == "flag":
        return f"{value} is neither 0 nor 1", "Give 1 for yes and 0 for no"
    if spec.unit in NOUNS:
        return f"{value} is not {NOUNS[spec.unit]}", f"Give {spec.least:,} to {spec.most:,}"
    written = "the number" if abs(value) >= FAR_OUTSIDE else _written(value, spec.unit)
    if value >= spec.least:
        most = _written(spec.most, spec.unit)
        problem = f"{written} is more than the {most} one person can have"
        return problem, "Check the amount and its decimal point"
    if spec.unit == "pence":
        return f"{written} is below zero", "Pay of a period is not negative; correct the period it is for"
    return f"{written} is below zero", "Give nought or more"


def _written(value: int, unit: Unit) -> str:
    return format_minor(value, symbol=True) if unit == "pence" else f"{value:,} {unit}"


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


def choose(texts: TextColumn, choice: Choice) -> tuple[Column, list[RowProblem]]:
    """Each row's place among the options, and a problem for each row whose text is not allowed (place 0)."""
    place = choice.place
    column = texts.of_each(np.array([place.get(text, 0) for text in texts.different], dtype=np.int64))
    wrong = {text for text in texts.different if text not in place}
    if not wrong:
        return column, []
    remedy = f"Give one of {', '.join(allowed or repr(allowed) for allowed in place)}"
    return column, [
        RowProblem(row, texts.name, f"{text!r} is not {choice.what}", remedy)
        for row, text in texts.rows_of(wrong)
    ]
