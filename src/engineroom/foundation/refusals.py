"""What a guard of the database refuses, as a refusal that pages, programs and the command line say alike.

A guard's state is `ER` and an HTTP status. From 500 on it is a defect of ours, not a refusal: it is logged.
"""

from __future__ import annotations

from django.db.utils import DatabaseError

from engineroom.kernel.errors import EngineroomError


class Refused(EngineroomError):
    """A guard of the database said no, in its own words."""

    def __init__(self, status: int, words: str) -> None:
        self.status = status
        super().__init__(words)


def refusal(error: BaseException) -> EngineroomError | None:
    """The refusal in an error: ours, or a guard's. None: nobody foresaw it."""
    if isinstance(error, EngineroomError):
        return error
    status = _status(getattr(error.__cause__, "sqlstate", None) or "")
    if isinstance(error, DatabaseError) and 400 <= status < 500:
        return Refused(status, str(error.__cause__).splitlines()[0])
    return None


def _status(state: str) -> int:
    known = state.startswith("ER") and state[2:].isascii() and state[2:].isdigit()
    return int(state[2:]) if known else 0
