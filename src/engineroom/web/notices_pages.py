"""Notices: what others did with what I had made: approved, released, made void, reversed; and the end of
a long job that I asked for.

Derived from the audit trail and the list of makers, never stored. Up to when I have looked is kept in a
signed cookie, so that what is new stays the same over sign-ins and costs no table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.billing.models import BillRun
from engineroom.foundation.access.roles import may
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.payroll.models import PayRun
from engineroom.settlement.models import PaymentBatch
from engineroom.ui.pages import PageRequest, address, page

DAYS = 14
MOST = 50
COOKIE = "notices_seen"
COUNT = "notices_count"
"""In the session: the number as it was last, so that a page shows it before it is asked for again."""

WORDS = {
    "payroll.publish_attempt": ("run", "calculated"),
    "payroll.calculate_pay_run": ("run", "calculated"),
    "payroll.approve_pay_run": ("done", "approved"),
    "payroll.release_pay_run": ("done", "released"),
    "payroll.abandon_pay_run": ("void", "abandoned"),
    "payroll.issue_payslips": ("done", "payslips issued"),
    "billing.prepare_bill_run": ("run", "prepared again"),
    "billing.approve_bill_run": ("done", "approved"),
    "billing.issue_bill_run": ("done", "invoices issued"),
    "settlement.record_stage": ("run", "went on"),
    "timesheets.end_holds": ("done", "hold ended"),
    "ledger.reverse_entry": ("void", "reversed"),
    "people.end_login": ("void", "login ended"),
}
"""What is worth a notice, as a status kind and what became of the thing."""

JOBS = ("payroll.issue_payslips",)
"""Long work that I asked for and did not wait for: its end is worth a notice to me, its parts are not."""


@dataclass(frozen=True)
class Notice:
    """Something that somebody else did with what I had made, or the end of a job that I asked for."""

    client: Client
    at: datetime
    what: str
    kind: str
    became: str
    who: str
    note: str
    url: str
    new: bool


NOTICES = """
SELECT e.client_id, e.id, e.at, e.verb, e.subject_kind, e.subject_id,
  coalesce(e.detail->'result'->>'approval_voided', e.detail->'result'->'published'->>'approval_voided',
    '') = 'true', coalesce(u.name, '')
FROM foundation_auditevent e
LEFT JOIN foundation_user u ON u.id = coalesce(e.on_behalf_id, e.user_id)
WHERE e.client_id = ANY(%(clients)s) AND e.at >= %(since)s AND e.verb = ANY(%(verbs)s)
  AND e.user_id <> %(me)s AND e.detail->'result'->'published' IS DISTINCT FROM 'null'
  AND CASE WHEN e.on_behalf_id = %(me)s
    THEN e.verb = ANY(%(jobs)s) AND e.detail->'result'->>'left' = '0'
    ELSE EXISTS (
      SELECT FROM foundation_contribution c
      WHERE c.client_id = e.client_id AND c.subject_kind = e.subject_kind AND c.subject_id = e.subject_id
        AND (c.user_id = %(me)s OR c.on_behalf_id = %(me)s) AND c.at < e.at) END
ORDER BY e.at DESC LIMIT %(most)s
"""

Told = tuple[UUID, UUID, datetime, str, str, UUID, bool, str]


@page(None, scope="mine")
def notices(request: PageRequest) -> HttpResponse:
    """What happened to my work in the last two weeks; what is new since I looked last is marked."""
    told = _told(request, timezone.now() - timedelta(days=DAYS))
    seen = _seen(request)
    # Not `notices`: every page is given the bell of the top bar under that name.
    context = {"told": _described(request, told, seen), "days": DAYS, "most": len(told) == MOST}
    response = render(request, "web/notices.html", context)
    _look(request, response)
    return response


@page(None, scope="mine")
def count(request: PageRequest) -> HttpResponse:
    """The number alone, for the top bar, which asks when a page stands and every minute."""
    number = len(_told(request, _seen(request)))
    if request.session.get(COUNT, 0) != number:
        request.session[COUNT] = number
    return render(request, "web/notices_count.html", {"number": number})


def bell(request: HttpRequest) -> dict[str, Any]:
    """What the top bar knows without asking: where notices are, and how many were new last."""
    return {
        "url": reverse("notices"),
        "count_url": reverse("notices_count"),
        "number": request.session.get(COUNT, 0) if hasattr(request, "session") else 0,
    }


def _told(request: PageRequest, since: datetime) -> list[Told]:
    readable = [client.id for client, roles in request.clients if may(roles, "foundation.read")]
    if not readable:
        return []
    values: dict[str, Any] = {
        "clients": readable,
        "since": since,
        "verbs": list(WORDS),
        "jobs": list(JOBS),
        "me": current_scope().user.id,
        "most": MOST,
    }
    with connection.cursor() as cursor:
        cursor.execute(NOTICES, values)
        return [tuple(row) for row in cursor.fetchall()]


def _seen(request: PageRequest) -> datetime:
    """Until when this user has looked; two weeks ago at most."""
    earliest = timezone.now() - timedelta(days=DAYS)
    user, _, moment = str(request.get_signed_cookie(COOKIE, "", salt=COOKIE)).partition(" ")
    if user != str(request.identity.id):
        return earliest
    return max(earliest, datetime.fromisoformat(moment))


def _look(request: PageRequest, response: HttpResponse) -> None:
    request.session[COUNT] = 0
    response.set_signed_cookie(
        COOKIE,
        f"{request.identity.id} {timezone.now().isoformat()}",
        salt=COOKIE,
        max_age=DAYS * 24 * 3600,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure(),
    )


def _described(request: PageRequest, told: Sequence[Told], seen: datetime) -> list[Notice]:
    clients = {client.id: client for client, _ in request.clients}
    numbers = _numbers(told)
    made = []
    for client_id, event_id, at, verb, kind, subject_id, voided, who in told:
        client = clients[client_id]
        status, became = WORDS[verb]
        number, page_name = numbers.get(subject_id, (None, ""))
        url = address(page_name, client.code, number) if number else ""
        thing = kind.replace("_", " ").capitalize() + (f" {number}" if number else "")
        made.append(
            Notice(
                client,
                at,
                thing,
                "risk" if voided else status,
                became.capitalize(),
                who,
                "The approval it had is void." if voided else "",
                url or address("audit_event", client.code, event_id) or reverse("home", args=[client.code]),
                at > seen,
            )
        )
    return made


def _numbers(told: Sequence[Told]) -> dict[UUID, tuple[int, str]]:
    """What people call the things, and the page of each: one question per kind."""
    found: dict[UUID, tuple[int, str]] = {}
    kinds: tuple[tuple[str, Any, str], ...] = (
        ("pay_run", PayRun, "payroll:run"),
        ("bill_run", BillRun, "billing:run"),
        ("payment_batch", PaymentBatch, "settlement:batch"),
    )
    for kind, model, page_name in kinds:
        ids = {row[5] for row in told if row[4] == kind}
        rows = model.objects.filter(client_id__in={row[0] for row in told}, id__in=ids) if ids else []
        found |= {row.id: (row.number, page_name) for row in rows}
    return found


urlpatterns = [
    path("notices", notices, name="notices"),
    path("notices/count", count, name="notices_count"),
]
