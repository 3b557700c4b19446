"""What is planned once on a connection, and what is planned for its own values each time (decision 007).

Scopes that read prepare what they ask often; scopes that write do not, because clients differ in size by a
thousand: the plan that served a connection for sixty small ones took 97 s for a run of 10,000 people, its own
0.05 (measured).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, LiteralString

from django.db import connection
from psycopg import ClientCursor, Connection, Cursor
from psycopg.pq import TransactionStatus

OFTEN = 5
"""Times that a statement is asked on a connection before it is prepared."""
OF_FEW = 1
"""The same of what is asked again at once, for the next client of a batch."""


@dataclass(frozen=True, slots=True)
class Question:
    """A fixed text with its parameters. anew: its plan is only good if it is made for these very values."""

    text: str
    asked: Sequence[Any] | Mapping[str, Any]
    anew: bool = False


Answer = list[tuple[Any, ...]]


def rows(question: str, asked: Sequence[Any] | Mapping[str, Any]) -> Answer:
    """The answer to a fixed text with its parameters, inside `acting`: planned once, at its first time.

    For questions of many tables about a few rows: seven tables, each with its policy, take 30 to 80 ms to
    plan and one to read by key (measured). The plan must be good for everybody: keys in, rows out.
    """
    return answers([Question(question, asked)])[0]


def answers(questions: Sequence[Question]) -> list[Answer]:
    """The answers to several such questions, of which none waits for another's: sent in one go."""
    if not questions:
        return []
    with planned_by_key() as raw, ExitStack() as cursors:
        asked = [_cursor(raw, question, cursors) for question in questions]
        with raw.pipeline():
            for cursor, question in zip(asked, questions, strict=True):
                cursor.execute(question.text, question.asked, prepare=not question.anew)
        return [cursor.fetchall() for cursor in asked]


def _cursor(raw: Connection[Any], question: Question, cursors: ExitStack) -> Cursor[Any]:
    """Where values stand in the text itself they are planned for, whatever else is said of plans."""
    return cursors.enter_context(ClientCursor(raw) if question.anew else Cursor(raw))


_of_few: ContextVar[bool] = ContextVar("of_few", default=False)


@contextmanager
def of_few() -> Iterator[None]:
    """Scopes opened inside are about a client with few rows: everything asked in them, by whoever writes too,
    is planned once on a connection, without its values and by keys.

    For one client after the other of a batch: of the hundred statements of each, planning took four times as
    long as answering. What is planned here is asked here alone: a scope outside prepares nothing of the same
    text, or asks it of the same few rows.
    """
    token = _of_few.set(True)
    try:
        yield
    finally:
        _of_few.reset(token)


# A plan for nobody's values, by keys: the tables may have been empty when it was made. No plan is worth
# compiling, however dear one that may not read through a table is reckoned.
PLANNED_OF_FEW = """
SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
  set_config('jit', 'off', true)
"""


def is_of_few() -> bool:
    return _of_few.get()


_by_key: ContextVar[bool] = ContextVar("planned_by_key", default=False)


@contextmanager
def planned_by_key() -> Iterator[Connection[Any]]:
    """What is asked inside is planned without its values, once on a connection. For whoever asks many such
    questions one after another: a thread asks twenty, and it is said once for all of them.
    """
    with _preparing(OFTEN) as raw:
        if _by_key.get() or _of_few.get():
            yield raw
            return
        token = _by_key.set(True)
        _plan(raw, "force_generic_plan")
        try:
            yield raw
        finally:
            _by_key.reset(token)
            if raw.info.transaction_status == TransactionStatus.INTRANS:  # one that failed is rolled back
                _plan(raw, "auto")


def _plan(raw: Connection[Any], mode: LiteralString) -> None:
    with Cursor(raw) as setting:
        setting.execute(f"SET LOCAL plan_cache_mode = {mode}", prepare=False)


@contextmanager
def planned_anew() -> Iterator[None]:
    """What is asked inside is planned for its own values: questions about everybody in a run."""
    with _preparing(OF_FEW if _of_few.get() else None):
        yield


@contextmanager
def planned_once() -> Iterator[None]:
    """What is asked inside is about a few rows, by key, whoever's they are: in a scope that writes, too."""
    with _preparing(OFTEN):
        yield


@contextmanager
def sent_together() -> Iterator[Connection[Any]]:
    """The driver's connection, which sends what is asked inside without waiting for answers in between: they
    are fetched after it. The first that fails is raised at the end, and nothing after it was done."""
    connection.ensure_connection()
    raw: Connection[Any] = connection.connection
    with connection.wrap_database_errors, raw.pipeline():
        yield raw


@contextmanager
def _preparing(after: int | None) -> Iterator[Connection[Any]]:
    """The driver's connection, which meanwhile prepares statements after so many times, or none."""
    connection.ensure_connection()
    raw: Connection[Any] = connection.connection
    before = raw.prepare_threshold
    raw.prepare_threshold = after
    try:
        yield raw
    finally:
        raw.prepare_threshold = before
