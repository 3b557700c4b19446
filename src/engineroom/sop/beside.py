"""What other rooms say of a case, beside it on its page: each registers what it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engineroom.sop.models import Case


@dataclass(frozen=True)
class Beside:
    """A panel: a room's own template, and what that finds as `it`."""

    template: str
    it: Any


Says = Callable[[Case], Beside | None]

SAYS: list[Says] = []


def register(says: Says) -> Says:
    """Asked inside the page's scope, with the case; None where there is nothing to show."""
    SAYS.append(says)
    return says


def panels(case: Case) -> list[Beside]:
    return [panel for says in SAYS if (panel := says(case)) is not None]
