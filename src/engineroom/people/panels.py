"""What other rooms show on a person's page: people knows no placement and no payslip.

A room registers a function that answers with a panel's HTML, or None where it has nothing to show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from django.utils.safestring import SafeString

from engineroom.people.models import Person
from engineroom.ui.pages import PageRequest

MakePanel = Callable[[PageRequest, Person], SafeString | None]


class _Registered(NamedTuple):
    order: int
    make: MakePanel


_PANELS: list[_Registered] = []


def register_panel(make: MakePanel, *, order: int) -> None:
    """Show what `make` answers on every person's page, in this order."""
    _PANELS.append(_Registered(order, make))
    _PANELS.sort(key=lambda panel: panel.order)


def panels_of(request: PageRequest, person: Person) -> list[SafeString]:
    made = (panel.make(request, person) for panel in _PANELS)
    return [html for html in made if html is not None]
