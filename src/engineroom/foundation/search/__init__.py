"""Search: one field over all the clients that somebody reads. Rooms register what can be found, and how.

Names are found by their words' beginnings, in a table of words that a trigger keeps (`named`); numbers and
amounts through the keys that their tables have anyway. Under row security an index serves only comparisons
that give nothing away (`=`, `<`, `starts_with`); `LIKE`, `strpos`, `lower` and `@@` read every row that may
be read. Measured with 202 clients and 100,000 people, on two busy cores: a part of a name with `strpos` or
`LIKE` takes 84 to 215 ms; by words it takes 3 to 20 ms, and all questions of a page together 50 to 60 ms.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation.access.roles import may
from engineroom.foundation.tenancy.scope import current_scope

SHORTEST = 2
"""One letter finds everybody."""

LONGEST = 100
MOST_WORDS = 5


@dataclass(frozen=True)
class Hit:
    """One thing found. page: the name of its page and what stands in the address after the client.

    private: what it shows is pay; that it was read is logged.
    """

    client_id: UUID
    label: str
    note: str
    page: tuple[str, tuple[object, ...]]
    amount_minor: int | None = None
    currency: str = "GBP"
    subject_kind: str = ""
    subject_id: UUID | None = None
    private: bool = False


Question = Callable[[str, Sequence[UUID], int], list[Hit]]
"""Asked with the text, the clients and how many are wanted at most."""


@dataclass(frozen=True)
class Kind:
    """What a room can find. permission: what it takes on a client to find things there."""

    label: str
    question: Question
    permission: str


KINDS: list[Kind] = []


def register(label: str, question: Question, *, permission: str) -> None:
    """A kind of thing that a room finds."""
    KINDS.append(Kind(label, question, permission))


@dataclass(frozen=True)
class Found:
    """What of one kind was found; more: there are others beyond the limit."""

    label: str
    hits: Sequence[Hit]
    more: bool


def too_short(text: str) -> bool:
    return len("".join(_words(text))) < SHORTEST


def search(text: str, limit: int, only: str = "") -> list[Found]:
    """What is called so on the clients that the scope reads, by kind. only: the label of a single kind."""
    text = text.strip()[:LONGEST].replace("\x00", "")
    if too_short(text):
        return []
    scope = current_scope()
    found = []
    for kind in KINDS:
        if only not in ("", kind.label):
            continue
        readable = [c for c in scope.read if may(scope.roles.get(c, frozenset()), kind.permission)]
        hits = kind.question(text, readable, limit + 1) if readable else []
        if hits:
            found.append(Found(kind.label, hits[:limit], len(hits) > limit))
    return found


# --- names --------------------------------------------------------------------------------------------

_BETWEEN = re.compile(r"[\s!-/:-@\[-`{-~]+")
"""What parts words; the database's `search_words` has the same."""

_AFTER_ALL = "\U0010ffff"

BY_WORD = """
SELECT w.subject_id FROM foundation_searchword w WHERE w.client_id = ANY(%s) AND w.kind = %s AND ({begins})
"""


def named(kind: str, text: str, clients: Sequence[UUID], limit: int) -> list[UUID]:
    """Ids of things of the kind, in whose name each word of the text begins some word."""
    asked: list[Any] = []
    questions = []
    for word in list(dict.fromkeys(_words(text)))[:MOST_WORDS]:
        asked += [list(clients), kind]
        questions.append(BY_WORD.format(begins=_begins(word, asked)))
    if not questions:
        return []
    with connection.cursor() as cursor:
        # A set of each word's: joined instead, PostgreSQL may walk all of one word for each of the other. Two
        # words of one name may begin alike, so a thing may come more than once.
        cursor.execute(" INTERSECT ".join(questions) + " LIMIT %s", [*asked, limit * 3])
        return list(dict.fromkeys(row[0] for row in cursor.fetchall()))[:limit]


def _words(text: str) -> list[str]:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not "\u0300" <= c <= "\u036f")
    plain = plain.replace("\u2019", "'")
    return [word[:40] for word in _BETWEEN.split(plain) if word]


def _begins(word: str, asked: list[Any]) -> str:
    """SQL for "the word begins so", in any case: the database's lower() knows A to Z alone."""
    spellings = {_small(word), _small(word.lower()), _small(word.upper()), _small(word.title())}
    for spelling in sorted(spellings):
        asked += [spelling, spelling + _AFTER_ALL]
    return " OR ".join("(w.word >= %s AND w.word < %s)" for _ in spellings)


def _small(word: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in word)


_NUMBERED = re.compile(r"([A-Za-z]{1,10})[- ]?0*(\d{1,6})")


def numbered(text: str) -> str:
    """A number as people say it, with its zeros: "inv-5" is "INV-000005". Empty, if it is none."""
    found = _NUMBERED.fullmatch(text.strip())
    return f"{found[1].upper()}-{int(found[2]):06d}" if found else ""


def spelled(text: str) -> list[str]:
    """A number or code as people type it: as it is, in capitals and in small letters."""
    return sorted({text, text.upper(), text.lower()})
