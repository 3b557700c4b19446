"""What still stands open when somebody leaves: people knows no hours and no leave, so rooms say theirs.

A room registers a function that answers, of one person and their last day, with what is open and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from engineroom.people.models import Person


@dataclass(frozen=True)
class OpenMatter:
    """What is open, in a few words; how much of it; and what to do about it."""

    what: str
    how_much: str
    remedy: str


Question = Callable[[Person, date], Sequence[OpenMatter]]

_QUESTIONS: list[Question] = []


def register(question: Question) -> Question:
    """Ask this of everybody whose employment ends."""
    _QUESTIONS.append(question)
    return question


def open_matters(person: Person, last_day: date) -> list[OpenMatter]:
    """Everything that the rooms say is open."""
    return [matter for question in _QUESTIONS for matter in question(person, last_day)]
