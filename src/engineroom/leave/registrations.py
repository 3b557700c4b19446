"""What leave offers to the rest: its duties, its files, and its panel on a person's page."""

from __future__ import annotations

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from engineroom.leave import duties, imports, templated  # noqa: F401  registers what each offers
from engineroom.people.models import Person
from engineroom.people.panels import register_panel
from engineroom.ui.pages import PageRequest


def _panel(request: PageRequest, person: Person) -> SafeString | None:
    """What is left of every kind; nothing where the client keeps no leave."""
    from django.utils import timezone

    from engineroom.leave.pages import balance_rows

    if not request.may("leave.read"):
        return None
    balances = balance_rows(person.counterparty_id, timezone.now().date())
    if not balances:
        return None
    context = {"balances": balances, "person": person, "client": request.client}
    return mark_safe(render_to_string("leave/panel.html", context))


register_panel(_panel, order=60)
