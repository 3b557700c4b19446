"""What a country keeps of how a person is taxed: its fields, what is wrong with them, and how they are kept.

It is said by the names of its fields, the same on a page, in a file, at the command line and by programs.
Great Britain's stands in columns of `TaxDetails`, which its calculation reads by the ten thousand; what any
other country keeps is the document `stated` of the same dated row, held to the fields that it declares
(decision 013).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, Protocol

from engineroom.kernel.errors import Problem
from engineroom.kernel.money import MAX_MINOR, format_minor
from engineroom.kernel.rates import PPM, format_ppm

Value = str | int | bool | date
Said = Mapping[str, Value | None]
"""By field: text or one of its choices, minor units, parts per million, a number, a flag, a day. What is not
in it, or None, is not said."""

Unit = Literal["text", "choice", "flag", "money", "percent", "count", "day"]
MOST = 10**9


@dataclass(frozen=True)
class TaxField:
    """One thing that is kept. default: the choice that stands where none is said. words: of its choices, and
    of "" where nothing is said."""

    name: str
    label: str
    unit: Unit = "text"
    group: str = ""
    needed: bool = False
    choices: tuple[str, ...] = ()
    default: str = ""
    max_length: int = 40
    hint: str = ""
    words: Mapping[str, str] = field(default_factory=dict, hash=False)

    def in_words(self, value: Value | None, currency: str) -> str:
        value = self.default if value is None else value
        if value == "" or value is False:
            return self.words.get("", "")
        if self.unit == "flag":
            return self.label.lower()
        if isinstance(value, int) and self.unit == "money":
            return format_minor(value, currency, symbol=True)
        if isinstance(value, int) and self.unit == "percent":
            return format_ppm(value)
        return self.words.get(
            str(value), str(value).replace("_", " ") if self.unit == "choice" else str(value)
        )

    def wrong(self, value: Value) -> Problem | None:
        """Why the field cannot hold the value."""
        problem, remedy = self._wrong(value)
        return Problem(problem, remedy, field=self.name) if problem else None

    def _wrong(self, value: Value) -> tuple[str, str]:
        if self.unit == "choice":
            good, remedy = value in self.choices, f"Use {', '.join(self.choices)}"
            return ("" if good else f"{value!r} is none there is", remedy)
        if self.unit == "text":
            good = isinstance(value, str) and len(value) <= self.max_length
            return ("" if good else f"{value!r} is too long", f"Give up to {self.max_length} letters")
        if self.unit == "flag":
            return ("" if isinstance(value, bool) else f"{value!r} is neither yes nor no", "Say yes or no")
        if self.unit == "day":
            return ("" if isinstance(value, date) else f"{value!r} is no day", "Write it as 2026-11-27")
        most, problem, remedy = {
            "money": (MAX_MINOR, "this is no amount", "Write it as it stands"),
            "percent": (PPM, "this is no share of pay", "Write a percentage from 0% to 100%"),
            "count": (MOST, f"{value!r} is no number", "Give nought or more"),
        }[self.unit]
        good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
        return ("" if good else problem, remedy)


@dataclass(frozen=True)
class Shown:
    """A column of the list of what held when: its heading, and the fields in it, the first on top."""

    heading: str
    fields: tuple[str, ...]


class TaxRecord(Protocol):
    """A country's record. fields: of a person from a day on. starting: what somebody new declares, which is
    not the same everywhere. identifier: what people's number with the authority is called; empty where the
    form of somebody new asks for none."""

    @property
    def fields(self) -> tuple[TaxField, ...]: ...
    @property
    def starting(self) -> tuple[TaxField, ...]: ...
    @property
    def identifier(self) -> str: ...
    @property
    def shown(self) -> tuple[Shown, ...]: ...

    def wrong(self, said: Said) -> list[Problem]:
        """What several fields together, or the law, find wrong with values that each are good."""
        ...

    def kept(self, said: Said) -> dict[str, Any]:
        """The columns of `TaxDetails` that hold it."""
        ...

    def said(self, row: Any) -> dict[str, Value]:
        """What a row of `TaxDetails` says; empty values are left out."""
        ...

    def again(self, row: Any, on: date) -> dict[str, Value]:
        """What of a row would be said again from a later day on."""
        ...

    def in_words(self, said: Said) -> str:
        """By what somebody is taxed, within a sentence: "1257L"."""
        ...

    def wrong_start(self, said: Said, starts: date) -> list[Problem]:
        """As `wrong`, of what somebody new declares."""
        ...

    def begins(self, said: Said, starts: date) -> Said:
        """The record that what somebody new declares gives, from their first day on."""
        ...


@dataclass(frozen=True)
class Recorded:
    """A record whose fields are declared and nothing more: the document `stated`."""

    fields: tuple[TaxField, ...]
    identifier: str = ""

    @property
    def starting(self) -> tuple[TaxField, ...]:
        return self.fields

    @property
    def shown(self) -> tuple[Shown, ...]:
        return tuple(Shown(one.label, (one.name,)) for one in self.fields)

    def wrong(self, said: Said) -> list[Problem]:
        return []

    def kept(self, said: Said) -> dict[str, Any]:
        stated = {name: value for name, value in said.items() if value not in (None, "")}
        return {"stated": {n: v.isoformat() if isinstance(v, date) else v for n, v in sorted(stated.items())}}

    def said(self, row: Any) -> dict[str, Value]:
        days = {one.name for one in self.fields if one.unit == "day"}
        return {n: date.fromisoformat(v) if n in days else v for n, v in row.stated.items()}

    def again(self, row: Any, on: date) -> dict[str, Value]:
        return self.said(row)

    def in_words(self, said: Said) -> str:
        values = ((one, said.get(one.name)) for one in self.fields if one.unit in ("text", "choice"))
        return next((one.in_words(value, "") for one, value in values if value), "what is declared")

    def wrong_start(self, said: Said, starts: date) -> list[Problem]:
        return self.wrong(said)

    def begins(self, said: Said, starts: date) -> Said:
        return said


def wrong_values(fields: Sequence[TaxField], said: Said) -> list[Problem]:
    """Fields that are not there, values that they cannot hold, and those that are needed and not said."""
    known = {one.name: one for one in fields}
    found = [
        Problem(f"nothing called {name!r} is kept here", f"Kept are {', '.join(known)}", field=name)
        for name in said
        if name not in known
    ]
    for one in fields:
        value = said.get(one.name)
        if value is None or value == "":
            if one.needed:
                found.append(Problem(f"{one.label} is not said", "Say it", field=one.name))
        elif wrong := one.wrong(value):
            found.append(wrong)
    return found
