"""Promises, and the hours in which work counts, as a template may say them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from engineroom.foundation.templated import Field, ItemChange, Items, Part, by_client, never, register, yes
from engineroom.kernel.errors import EngineroomError, Problem
from engineroom.quality.clocks import OFFICE
from engineroom.quality.models import Hours, Promise
from engineroom.quality.services import LONGEST_BUDGET_S, promise, set_hours
from engineroom.sop.graph import KEY
from engineroom.sop.hours import HoursRefused, WorkingHours, hours_from, week_from

ALL_OTHERS = "all_others"
"""The item of the promise for procedures that have none of their own."""
MINUTE_S = 60


def _read_promises(clients: Sequence[UUID]) -> dict[UUID, dict[str, dict[str, str]]]:
    latest = Promise.objects.filter(client_id__in=clients).order_by(
        "client_id", "procedure_key", "-at", "-id"
    )
    rows = latest.distinct("client_id", "procedure_key")
    return by_client(
        clients,
        ((row.client_id, row.procedure_key or ALL_OTHERS, _promised(row)) for row in rows if row.budget_s),
    )


def _promised(row: Promise) -> dict[str, str]:
    return {
        "name": row.name,
        "minutes": f"{(Decimal(row.budget_s) / MINUTE_S).quantize(Decimal('0.000001')).normalize() + 0:f}",
        "pauses_for_client": yes(bool(row.pause_reasons)),
        "warn_percent": str(row.warn_percent),
    }


def _check_promises(country: str, items: Items) -> Iterable[Problem]:
    for item, fields in items.items():
        if not KEY.match(item):
            remedy = f"use a procedure's key, or {ALL_OTHERS}"
            yield Problem(f"{item!r} is no procedure", remedy, field=item)
        seconds = Decimal(fields.get("minutes", "1")) * MINUTE_S
        if not 1 <= seconds <= LONGEST_BUDGET_S or seconds % MINUTE_S:
            problem = f"{fields['minutes']} minutes cannot be promised"
            yield Problem(problem, "give whole minutes, up to 400 days", field=f"{item}/minutes")
        if not 1 <= int(fields.get("warn_percent", 80)) <= 100:
            yield Problem("warn_percent is no percentage", "give 1 to 100", field=f"{item}/warn_percent")


def _apply_promises(changes: Sequence[ItemChange], starts: date, reason: str) -> None:
    for change in changes:
        said = change.after
        promise(
            said["name"],
            int(Decimal(said["minutes"]) * MINUTE_S),
            procedure_key="" if change.key == ALL_OTHERS else change.key,
            pauses_for_client=said.get("pauses_for_client", "yes") == "yes",
            warn_percent=int(said.get("warn_percent", 80)),
            reason=reason,
        )


register(
    Part(
        "promises",
        "Promises",
        "promise",
        order=70,
        permission="quality.prepare",
        fields=(
            Field("name", "What the client knows it by", needed=True),
            Field("minutes", "Working time in minutes", "number", needed=True),
            Field("pauses_for_client", "Whether it stands still while the client is asked", "yes"),
            Field("warn_percent", "Warn when so much of it is used", "whole"),
        ),
        read=_read_promises,
        check=_check_promises,
        cannot=never,
        apply=_apply_promises,
    )
)


# --- working hours --------------------------------------------------------------------------------------

DESK = "desk"
"""The one item: a client has one week."""


def _read_hours(clients: Sequence[UUID]) -> dict[UUID, dict[str, dict[str, str]]]:
    """Of a client that never said: nothing stands."""
    latest = Hours.objects.filter(client_id__in=clients).order_by("client_id", "-at", "-id")
    rows = latest.distinct("client_id")
    return by_client(clients, ((row.client_id, DESK, _worked(hours_from(row.definition))) for row in rows))


def _worked(hours: WorkingHours) -> dict[str, str]:
    return {
        "zone": hours.zone,
        "week": hours.week_in_words(),
        "holidays": hours.division or "",
        "closed": "; ".join(f"{day} {name}" for day, name in hours.closed),
    }


def _definition(said: dict[str, str], before: dict[str, Any]) -> dict[str, Any]:
    """Hours as they are kept; what is not said stays. Raises HoursRefused, ValueError, CalendarNotKnown."""
    found = {**before}
    if "zone" in said:
        found["zone"] = said["zone"]
    if "week" in said:
        found["week"] = [[list(span) for span in spans] for spans in week_from(said["week"])]
    if "holidays" in said:
        found["division"] = said["holidays"] or None
    if "closed" in said:
        listed = [one.strip().partition(" ") for one in said["closed"].split(";") if one.strip()]
        found["closed"] = [[date.fromisoformat(day).isoformat(), name or "closed"] for day, _, name in listed]
    hours_from(found)
    return found


def _check_hours(country: str, items: Items) -> Iterable[Problem]:
    for item, fields in items.items():
        if item != DESK:
            yield Problem(f"a client has no {item!r}", f"the one item here is {DESK}", field=item)
        for name, text in fields.items():
            try:
                kept = _definition({name: text}, OFFICE.as_dict())
            except (EngineroomError, ValueError) as error:
                remedy = (
                    "write days as 2026-12-24 Christmas Eve; 2026-12-31" if name == "closed" else "correct it"
                )
                yield Problem(f"{name}: {error}", remedy, field=f"{item}/{name}")
            else:
                written = _worked(hours_from(kept))[name]
                if written != text:
                    yield Problem(f"{name} is written otherwise", f"write {written}", field=f"{item}/{name}")


def _apply_hours(changes: Sequence[ItemChange], starts: date, reason: str) -> None:
    from engineroom.foundation.tenancy.scope import current_client_id

    latest = Hours.objects.filter(client_id=current_client_id()).order_by("at", "id").last()
    before = latest.definition if latest else OFFICE.as_dict()
    for change in changes:
        try:
            kept = _definition(dict(change.after), before)
        except ValueError as error:
            raise HoursRefused(str(error)) from error
        set_hours(kept, reason=reason)


register(
    Part(
        "working_hours",
        "Working hours",
        "desk",
        order=80,
        permission="quality.prepare",
        fields=(
            Field("zone", "The time zone, as Europe/London", needed=True),
            Field("week", "Days and their spans, as Mon-Fri 09:00-17:30", needed=True),
            Field("holidays", "Whose bank holidays are closed days: ENG, SCT or NIR"),
            Field("closed", "Further closed days, by ;"),
        ),
        read=_read_hours,
        check=_check_hours,
        cannot=never,
        apply=_apply_hours,
    )
)
