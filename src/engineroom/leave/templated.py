"""Kinds of leave and what they entitle everybody to, as a template may say them.

A kind of the law is offered as the law's table has it; a kind of one's own is said in full. Neither ever
changes. What a kind entitles to begins on a day, and the one before ends the day before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from engineroom.foundation.duties import today
from engineroom.foundation.templated import Field, ItemChange, Items, Part, by_client, never, register, yes
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.calendar import CalendarNotKnown, calendar
from engineroom.kernel.errors import NotFound, Problem
from engineroom.kernel.rates import PPM
from engineroom.leave import law
from engineroom.leave.entitling import add_kind, offer_ready_kinds, set_policy
from engineroom.leave.models import ACCRUALS, COUNTS, UNITS, LeaveKind, Policy
from engineroom.leave.services import kind_coded

OWN_FIELDS = (
    Field("label", "What people call it"),
    Field("unit", "How it is shown", choices=UNITS),
    Field("element", "The pay element that pays it; left out where it is not paid"),
    Field("counts", "Which days of it count", choices=COUNTS),
    Field("entitles", "Whether it has a balance", "yes"),
    Field("needs_approval", "Whether somebody decides", "yes"),
    Field("own", "Whether people ask for it themselves", "yes"),
    Field("private", "Whether it is shown as away", "yes"),
)
OF_LAW = "law"


def _ready(country: str) -> set[str]:
    try:
        return {kind.code for kind in law.ready_kinds(country, today())}
    except NotFound:
        return set()


def _read_kinds(clients: Sequence[UUID]) -> dict[UUID, dict[str, dict[str, str]]]:
    countries = dict(Client.objects.filter(id__in=clients).values_list("id", "jurisdiction"))
    ready = {country: _ready(country) for country in set(countries.values())}
    rows = LeaveKind.objects.filter(client_id__in=clients, ends=None)
    return by_client(
        clients,
        (
            (row.client_id, row.code, _said(row, of_law=row.code in ready[countries[row.client_id]]))
            for row in rows
        ),
    )


def _said(row: LeaveKind, *, of_law: bool) -> dict[str, str]:
    return {
        "of": OF_LAW if of_law else "client",
        "holidays": row.division, "label": row.label, "unit": row.unit, "element": row.element,
        "counts": row.counts, "entitles": yes(row.entitles), "needs_approval": yes(row.needs_approval),
        "own": yes(row.own), "private": yes(row.private),
    }  # fmt: skip


def _check_kinds(country: str, items: Items) -> Iterable[Problem]:
    ready = _ready(country)
    for item, fields in items.items():
        yield from _wrong_division(item, fields.get("holidays", ""))
        more = [f.name for f in OWN_FIELDS if f.name in fields]
        if fields.get("of") == OF_LAW and item not in ready:
            known = ", ".join(sorted(ready)) or "none"
            yield Problem(f"the law has no kind of leave {item!r}", f"it has: {known}", field=f"{item}/of")
        elif fields.get("of") == OF_LAW and more:
            problem = f"{item} is of the law, which says its {more[0]}"
            yield Problem(problem, "leave it out", field=f"{item}/{more[0]}")
        elif fields.get("of") == "client" and item in ready:
            problem = f"{item} is a kind of the law"
            yield Problem(problem, "say of: law, or take another code", field=f"{item}/of")
        elif fields.get("of") == "client" and not fields.get("label"):
            yield Problem(f"{item} has no label", "add label: what people call it", field=f"{item}/label")


def _wrong_division(item: str, division: str) -> Iterable[Problem]:
    try:
        if division:
            calendar(division)
    except CalendarNotKnown as error:
        yield Problem(str(error), "use ENG (with Wales), SCT or NIR, or none", field=f"{item}/holidays")


def _cannot_kind(change: ItemChange) -> str:
    if change.before is None:
        return ""
    return "a kind of leave never changes: end it, and the next time it is offered as wanted"


def _apply_kinds(changes: Sequence[ItemChange], starts: date, reason: str) -> None:
    for change in changes:
        said = change.after
        if said["of"] == OF_LAW:
            offer_ready_kinds(division=said.get("holidays", ""), only=[change.key])
            continue
        given = {f.name: said[f.name] for f in OWN_FIELDS if f.name in said}
        label = given.pop("label", "")
        truths = {f.name: given[f.name] == "yes" for f in OWN_FIELDS if f.kind == "yes" and f.name in given}
        add_kind(change.key, label, division=said.get("holidays", ""), **{**given, **truths})  # type: ignore[arg-type]


register(
    Part(
        "leave_kinds",
        "Leave kinds",
        "kind of leave",
        order=40,
        permission="leave.prepare",
        fields=(
            Field("of", "Whether the law has it, or the client", choices=(OF_LAW, "client"), needed=True),
            Field("holidays", "Whose public holidays are not counted as leave"),
            *OWN_FIELDS,
        ),
        read=_read_kinds,
        check=_check_kinds,
        cannot=_cannot_kind,
        apply=_apply_kinds,
    )
)


# --- entitlements ---------------------------------------------------------------------------------------


def _read_policies(clients: Sequence[UUID]) -> dict[UUID, dict[str, dict[str, str]]]:
    rows = Policy.objects.filter(
        client_id__in=clients, person=None, ends=None, kind__ends=None
    ).select_related("kind")
    return by_client(clients, ((row.client_id, row.kind.code, _entitled(row)) for row in rows))


def _entitled(row: Policy) -> dict[str, str]:
    return {
        "weeks": _decimal(row.weeks_ppm), "most_days": str(row.most_days), "year_month": str(row.year_month),
        "year_day": str(row.year_day), "accrual": row.accrual, "accrual_rate": _decimal(row.accrual_ppm),
        "carry_weeks": _decimal(row.carry_ppm), "carry_months": str(row.carry_months),
    }  # fmt: skip


def _decimal(ppm: int) -> str:
    return f"{(Decimal(ppm) / PPM).normalize() + 0:f}"


def _ppm(text: str) -> int:
    return int(Decimal(text) * PPM)


LIMITS = {
    "weeks": (0, 53), "most_days": (0, 366), "year_month": (1, 12), "year_day": (1, 28),
    "accrual_rate": (0, 1), "carry_weeks": (0, 106), "carry_months": (0, 24),
}  # fmt: skip


def _check_policies(country: str, items: Items) -> Iterable[Problem]:
    for item, fields in items.items():
        for name, (least, most) in LIMITS.items():
            if name in fields and not least <= Decimal(fields[name]) <= most:
                problem = f"{name} is {fields[name]}"
                yield Problem(problem, f"give {least} to {most}", field=f"{item}/{name}")


def _apply_policies(changes: Sequence[ItemChange], starts: date, reason: str) -> None:
    for change in changes:
        said = change.after
        set_policy(
            kind_coded(change.key).id,
            starts,
            weeks_ppm=_ppm(said["weeks"]),
            most_days=int(said.get("most_days", 0)),
            year_month=int(said.get("year_month", 1)),
            year_day=int(said.get("year_day", 1)),
            accrual=said.get("accrual", "front"),
            accrual_ppm=_ppm(said.get("accrual_rate", "0")),
            carry_ppm=_ppm(said.get("carry_weeks", "0")),
            carry_months=int(said.get("carry_months", 0)),
        )


register(
    Part(
        "entitlements",
        "Leave entitlements",
        "entitlement",
        order=50,
        permission="leave.prepare",
        fields=(
            Field("weeks", "Weeks a year", "number", needed=True),
            Field("most_days", "Days a year at most; 0: no limit", "whole"),
            Field("year_month", "The month in which the leave year begins", "whole"),
            Field("year_day", "The day of that month", "whole"),
            Field("accrual", "When it is given", choices=ACCRUALS),
            Field("accrual_rate", "Of hours worked, where it is given by hours", "number"),
            Field("carry_weeks", "Weeks that go on into the next year at most", "number"),
            Field("carry_months", "Months after which they lapse; 0: they do not", "whole"),
        ),
        read=_read_policies,
        check=_check_policies,
        cannot=never,
        apply=_apply_policies,
    )
)
