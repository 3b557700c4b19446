"""What can go wrong, said so that a person can act on it.

An `EngineroomError` is a refusal: it carries an HTTP-like status and a sentence. A `Problem` is one thing
wrong with one place of one input; problems are values, collected, because a person will fix many at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


class EngineroomError(Exception):
    """Base of every refusal a person may see. `status` follows HTTP; `code` is stable for programs."""

    status: int = 400

    @property
    def code(self) -> str:
        return type(self).__name__


class NotFound(EngineroomError):
    """What was named does not exist, or the asker may not know that it does: the answer is the same."""

    status = 404


class NotPermitted(EngineroomError):
    """The user holds no grant that allows this."""

    status = 403


class Conflict(EngineroomError):
    """The world is not as the request assumed."""

    status = 409


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input: where it is, what it is, what to do about it.

    row counts as a spreadsheet counts (the header is row 1); field is the column's heading.
    """

    problem: str
    remedy: str
    file: str | None = None
    row: int | None = None
    field: str | None = None
    severity: Literal["error", "warning"] = "error"
    sheet: str | None = None
    """Of a workbook, where that is not plain."""

    def where(self) -> str:
        sheet = f"sheet {self.sheet}" if self.sheet else ""
        parts = [self.file or "", sheet, f"row {self.row}" if self.row is not None else "", self.field or ""]
        return ", ".join(p for p in parts if p)

    def __str__(self) -> str:
        where = self.where()
        return f"{where}: {self.problem}. {self.remedy}" if where else f"{self.problem}. {self.remedy}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class InputRefused(EngineroomError):
    """An input has problems; nothing of it was taken. `problems` names each place and its remedy."""

    status = 422

    def __init__(self, problems: Sequence[Problem], summary: str | None = None) -> None:
        self.problems = tuple(problems)
        errors = [p for p in self.problems if p.severity == "error"]
        head = (
            summary
            or f"{len(errors)} problem{'' if len(errors) == 1 else 's'} in the input; nothing was taken"
        )
        super().__init__("\n".join([head, *(f"  {p}" for p in self.problems[:50])]))


def errors_of(problems: Iterable[Problem]) -> list[Problem]:
    return [p for p in problems if p.severity == "error"]


def too_long(field: str, text: str, longest: int) -> list[Problem]:
    """What is to be kept is kept whole: a text that does not fit is refused, never cut."""
    letters = len(text.strip())
    if letters <= longest:
        return []
    what = f"the {field} has {letters:,} letters"
    return [Problem(what, f"Say it in up to {longest:,}", field=field)]


def whole(field: str, text: str, longest: int) -> str:
    """A text as it is kept. Raises InputRefused where it does not fit."""
    if problems := too_long(field, text, longest):
        raise InputRefused(problems)
    return text.strip()


LONGEST_REASON = 300


def wrong_reason(text: str, longest: int = LONGEST_REASON) -> list[Problem]:
    """What is wrong with why something is done: nothing or too much is said."""
    if not text.strip():
        return [Problem("no reason is given", "Say why, in a sentence", field="reason")]
    return too_long("reason", text, longest)


def reason_given(text: str, longest: int = LONGEST_REASON) -> str:
    """Why something is done, as it is kept with it. Raises InputRefused."""
    if problems := wrong_reason(text, longest):
        raise InputRefused(problems)
    return text.strip()


def by_row(problems: Iterable[Problem]) -> list[Problem]:
    """Problems of one file as a person goes through it, from the top down; of the whole file before a row's.

    Errors before warnings: where a list is cut, what stops the file is in it.
    """
    return sorted(problems, key=lambda p: (p.severity != "error", p.row or 0))
