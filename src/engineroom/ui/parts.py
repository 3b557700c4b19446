"""What components are given: small named records, so that a page says what a figure is and not where it goes.

Any object with these attributes will do; a room's own row often has them already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, NamedTuple, get_args

StatusKind = Literal["done", "run", "wait", "risk", "open", "held", "void"]
"""done: finished and right. run: moving. wait: another person's turn. risk: money or a promise in danger.
open: not begun. held: stopped on purpose. void: no longer counts."""

STATUS_KINDS: tuple[str, ...] = get_args(StatusKind)


SAYS_WHAT_IS_WRONG = 'class="form-errors"'
"""What the component `form_errors` puts above a form that was refused."""


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """A place in the left rail. key: its keys, such as "g t"; group: items of one group stand together.

    under: whether it stands beneath the entry before it.
    """

    label: str
    url: str
    count: int | None = None
    key: str = ""
    current: bool = False
    group: str = ""
    under: bool = False


class Tab(NamedTuple):
    """A page beside this one."""

    label: str
    url: str
    current: bool = False
    count_of: int | None = None


class Crumb(NamedTuple):
    """A page above this one; the last crumb, this page, has no url."""

    label: str
    url: str = ""


class TraceStep(NamedTuple):
    """One step of why a figure is what it is. value is the figure as shown (text); rule with its version."""

    label: str
    value: str
    rule: str = ""
    version: str = ""
    source: str = ""
    url: str = ""
    result: bool = False
    """The step that the steps before it come to: set strong, under a line."""


class Event(NamedTuple):
    """Something that happened, or will: kind is a status kind."""

    at: datetime | date | None
    what: str
    who: str = ""
    note: str = ""
    kind: str = "done"
    url: str = ""


class Change(NamedTuple):
    """One thing before and after, as text; an empty text is "nothing"."""

    label: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Node:
    """One thing on the thread's picture. figure is text as shown; status_kind and status may be empty."""

    id: str
    lane: str
    what: str
    figure: str = ""
    note: str = ""
    who: str = ""
    when: str = ""
    rule: str = ""
    status_kind: str = ""
    status: str = ""
    url: str = ""
    here: bool = False
    client: str = ""
    """The other client's name, where the thread has hopped to one."""


class Edge(NamedTuple):
    """From one node's id to another's. pending: the other side is not written yet (a mirror document)."""

    start: str
    end: str
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Thread:
    """Nodes in lanes from left to right, and what joins them. more: what was left out, said in words."""

    lanes: Sequence[str]
    nodes: Sequence[Node]
    edges: Sequence[Edge] = field(default_factory=tuple)
    more: str = ""
