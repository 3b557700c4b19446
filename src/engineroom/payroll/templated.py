"""Pay schedules, where runs are posted, and the client's approval of runs, as a template may say them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from uuid import UUID

from django.db import connection

from engineroom.foundation.templated import Field, ItemChange, Items, Part, by_client, never, register
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import Conflict, Problem
from engineroom.payroll.account_map import Mapped, map_accounts
from engineroom.payroll.client_approval import WORDS, say_client_approval
from engineroom.payroll.engine import schedules as engine
from engineroom.payroll.engine.proration import BASES
from engineroom.payroll.engine.schedules import PAY_RULES, PERIODS_IN_YEAR, Rhythm
from engineroom.payroll.jurisdictions import NoJurisdiction, jurisdiction
from engineroom.payroll.models import ClientApprovalPolicy, MappedAccount, PaySchedule
from engineroom.payroll.postings import Posted, Postings
from engineroom.payroll.schedules import add_pay_schedule, wrong_code


def _read_schedules(clients: Sequence[UUID]) -> dict[UUID, dict[str, dict[str, str]]]:
    rows = PaySchedule.objects.filter(client_id__in=clients)
    return by_client(clients, ((row.client_id, row.code, _rhythm(row)) for row in rows))


def _rhythm(row: PaySchedule) -> dict[str, str]:
    return {
        "name": row.name, "frequency": row.frequency, "anchor": row.anchor.isoformat(),
        "pay_rule": row.pay_rule, "pay_day": str(row.pay_day), "cut_off_days": str(row.cut_off_days),
        "proration": row.proration,
    }  # fmt: skip


def _check_schedules(country: str, items: Items) -> Iterable[Problem]:
    for item, fields in items.items():
        if problem := wrong_code(item):
            yield Problem(problem.problem, problem.remedy, field=item)
        if not {"frequency", "anchor", "pay_rule"} <= set(fields):
            continue  # said already: they are needed
        rhythm = Rhythm(
            fields["frequency"],
            date.fromisoformat(fields["anchor"]),
            fields["pay_rule"],
            int(fields.get("pay_day", 0)),
            int(fields.get("cut_off_days", 0)),
        )
        for name, problem_, remedy in engine.wrong_with(rhythm):
            yield Problem(problem_, remedy, field=f"{item}/{name}")
        yield from _unknown_frequency(country, item, fields["frequency"])


def _unknown_frequency(country: str, item: str, frequency: str) -> Iterable[Problem]:
    try:
        known = jurisdiction(country).frequencies
    except NoJurisdiction:
        return  # the country is wrong, and said to be
    if frequency not in known:
        problem = f"the law of {country!r} has no tables for {frequency} pay"
        yield Problem(problem, "use a frequency that it knows", field=f"{item}/frequency")


def _cannot_schedule(change: ItemChange) -> str:
    if change.before is None:
        return ""
    return (
        "a pay schedule never changes: people go over to another one, with a code of its own, from a day on"
    )


def _apply_schedules(changes: Sequence[ItemChange], starts: date, reason: str) -> None:
    for change in changes:
        said = change.after
        add_pay_schedule(
            change.key,
            said["name"],
            frequency=said["frequency"],
            anchor=date.fromisoformat(said["anchor"]),
            pay_rule=said["pay_rule"],
            pay_day=int(said.get("pay_day", 0)),
            cut_off_days=int(said.get("cut_off_days", 0)),
            proration=said.get("proration", "calendar_days"),
        )


register(
    Part(
        "pay_schedules",
        "Pay schedules",
        "pay schedule",
        order=30,
        permission="payroll.prepare",
        fields=(
            Field("name", "What people call it", needed=True),
            Field("frequency", "How often", choices=tuple(PERIODS_IN_YEAR), needed=True),
            Field("anchor", "The first day of any one of its periods", "day", needed=True),
            Field("pay_rule", "When a period is paid", choices=PAY_RULES, needed=True),
            Field("pay_day", "The day of the month, or days after", "whole"),
            Field("cut_off_days", "Banking days before pay day on which inputs close", "whole"),
            Field("proration", "What a part of a period is a part of", choices=tuple(BASES)),
        ),
        read=_read_schedules,
        check=_check_schedules,
        cannot=_cannot_schedule,
        apply=_apply_schedules,
    )
)


# --- the account map ------------------------------------------------------------------------------------

LAST_SAID = """
SELECT DISTINCT ON (m.client_id, m.line, m.cost_centre) m.client_id, m.line, m.cost_centre, m.account
FROM payroll_mappedaccount m
JOIN payroll_accountchange c ON c.client_id = m.client_id AND c.id = m.change_id
WHERE m.client_id = ANY(%s)
ORDER BY m.client_id, m.line, m.cost_centre, m.starts DESC, c.number DESC
"""


def _read_map(clients: Sequence[UUID]) -> dict[UUID, dict[str, dict[str, str]]]:
    """Every line with the account that was said last, or else its jurisdiction's; cost centres that have one
    of their own, as `cost.basic_pay SALES`."""
    countries = Client.objects.filter(id__in=clients).values_list("id", "jurisdiction")
    found = {client: dict(_defaults(country)) for client, country in countries}
    with connection.cursor() as cursor:
        cursor.execute(LAST_SAID, [list(clients)])
        for client, line, centre, account in cursor.fetchall():
            item = f"{line} {centre}".strip()
            if account:
                found[client][item] = {"account": account}
            elif centre:
                found[client].pop(item, None)
    return found


@cache
def _defaults(country: str) -> Mapping[str, dict[str, str]]:
    try:
        return {line.code: {"account": line.account} for line in _lines(country).values()}
    except NoJurisdiction:
        return {}


def _lines(country: str) -> dict[str, Posted]:
    return {line.code: line for line in _postings(country).lines()}


def _postings(country: str) -> Postings:
    return jurisdiction(country).postings


def _check_map(country: str, items: Items) -> Iterable[Problem]:
    try:
        lines, net = _lines(country), _postings(country).net.code
    except NoJurisdiction:
        return
    for item in items:
        code, _, centre = item.partition(" ")
        if code not in lines or code == net:
            known = ", ".join(sorted(set(lines) - {net}))
            yield Problem(f"{code!r} is no line of a run that is mapped", f"take one of {known}", field=item)
        elif centre and lines[code].side != "cost":
            yield Problem(f"{code} is no cost, so it has no cost centre", "leave it out", field=item)


def _refuse_before_later(rows: Sequence[Mapped], starts: date) -> None:
    """What was said from a later day on would hold still. Raises Conflict."""
    asked = {(row.line, row.cost_centre) for row in rows}
    later = MappedAccount.objects.filter(client_id=current_client_id(), starts__gt=starts)
    for row in later.order_by("-starts"):
        if (row.line, row.cost_centre) in asked:
            where = f"account {row.account}" if row.account else "the usual account"
            raise Conflict(f"it is mapped from {row.starts} to {where} already; give that day or a later day")


def _apply_map(changes: Sequence[ItemChange], starts: date, reason: str) -> None:
    rows = []
    for change in changes:
        line, _, centre = change.key.partition(" ")
        rows.append(Mapped(line, change.after["account"], starts, centre.strip()))
    _refuse_before_later(rows, starts)
    map_accounts(rows, reason=reason, source="template")


register(
    Part(
        "account_map",
        "Account map",
        "line",
        order=20,
        permission="ledger.prepare",
        fields=(Field("account", "The account's code in the client's book", needed=True),),
        read=_read_map,
        check=_check_map,
        cannot=never,
        apply=_apply_map,
        together=True,
    )
)


# --- the client's approval of runs ----------------------------------------------------------------------

EVERY_RUN = "every_run"


def _read_approvals(clients: Sequence[UUID]) -> dict[UUID, dict[str, dict[str, str]]]:
    """What was said last of every run, and of schedules. Where nothing was: not asked for."""
    found: dict[UUID, dict[str, dict[str, str]]] = {c: {EVERY_RUN: {"wanted": "none"}} for c in clients}
    rows = ClientApprovalPolicy.objects.filter(client_id__in=clients).select_related("schedule")
    for row in rows.order_by("starts", "at", "id"):
        item = row.schedule.code if row.schedule else EVERY_RUN
        found[row.client_id][item] = {"wanted": row.wanted}
    return found


def _check_approvals(country: str, items: Items) -> Iterable[Problem]:
    for item, fields in items.items():
        if item == EVERY_RUN:
            if fields.get("wanted") == "as_client":
                remedy = "say none, wanted or must"
                yield Problem("every run is as the client has it anyway", remedy, field=item)
        elif problem := wrong_code(item):
            yield Problem(problem.problem, f"name a pay schedule, or {EVERY_RUN}", field=item)


def _apply_approvals(changes: Sequence[ItemChange], starts: date, reason: str) -> None:
    said = ClientApprovalPolicy.objects.filter(client_id=current_client_id(), starts__gt=starts)
    for change in changes:
        of = "" if change.key == EVERY_RUN else change.key
        later = said.filter(schedule__code=of) if of else said.filter(schedule=None)
        if row := later.order_by("-starts").first():
            raise Conflict(f"it is said from {row.starts} on already; give that day or a later day")
        say_client_approval(change.after["wanted"], starts=starts, schedule=of, reason=reason)


register(
    Part(
        "client_approval",
        "Client approval",
        "approval",
        order=40,
        permission="foundation.prepare",
        fields=(Field("wanted", "Whether runs wait for the client", choices=tuple(WORDS), needed=True),),
        read=_read_approvals,
        check=_check_approvals,
        cannot=never,
        apply=_apply_approvals,
    )
)
