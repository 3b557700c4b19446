"""Links in mails: each opens one thing, once, for the one it was sent to, and nothing else.

A GET only says what the link is for: mail programs and their scanners look at every link. The POST of its
button uses it up. Whoever holds the link reads that one thing without signing in, as the user it was made
for; it approves nothing, since who forwards a mail forwards its link. (A customer answers for hours by it:
`hours_pages`.) Of the token only its hash is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from engineroom.foundation.access import services as access
from engineroom.foundation.access.models import User
from engineroom.foundation.access.selectors import holders_of, installation
from engineroom.foundation.approvals import selectors as approvals
from engineroom.foundation.approvals import services as standing
from engineroom.foundation.audit import services as audit
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import Identity, acting, current_scope
from engineroom.foundation.vault.answers import file_answer
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import Conflict, EngineroomError, NotFound, NotPermitted
from engineroom.payroll import handing_over, papers, selectors
from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.client_approval import wanted_of
from engineroom.payroll.models import PayRun
from engineroom.payroll.services import find_run
from engineroom.ui.display import format_count, format_day, format_moment
from engineroom.ui.pages import Done, PageRequest, action
from engineroom.web import letters
from engineroom.web.letters import Draft
from engineroom.web.portal_run_pages import run_facts

REFERENCE = re.compile(r"ref:([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")
"""A link's id and token in the subject of a mail that may be answered by a reply."""


class LinkOver(EngineroomError):
    """The link was used, is too old, or what it opened is not for its reader any more."""

    status = 410


# --- making ---------------------------------------------------------------------------------------------


def draft_to(
    user: User,
    kind: str,
    subject_id: UUID,
    subject: str,
    template: str,
    *,
    answered_by_reply: bool = False,
    **words: object,
) -> Draft:
    """A letter with a link of this user's own. Its words get name, client, firm, and the link's."""
    link = letters.new_link(kind, subject_id, user.email, user_id=user.id)
    client = Client.objects.get(id=link.client_id)
    words |= {"name": user.name, "client": client.name, "firm": firm_name()}
    return Draft(link, subject, template, words, answered_by_reply)


@dataclass(frozen=True)
class PayslipsNoticed:
    """How many letters were written, had been before, and cannot be: no login and no address."""

    run_id: UUID
    written: int
    written_before: int
    without_address: int
    mailing_id: UUID | None = None

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


# A login is the better address: its user proves who they are besides.
RECIPIENTS = """
SELECT s.id, s.person_id, p.name, l.user_id, coalesce(u.email, p.email)
FROM payroll_payslip s
JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
LEFT JOIN people_personlogin l ON l.client_id = p.client_id AND l.person_id = p.id
  AND l.starts <= current_date AND (l.ends IS NULL OR l.ends >= current_date)
LEFT JOIN foundation_user u ON u.id = l.user_id AND u.is_active
WHERE s.client_id = %s AND s.attempt_id = %s AND NOT EXISTS (
  SELECT FROM web_link k
  LEFT JOIN web_letter m ON m.client_id = k.client_id AND m.link_id = k.id
  LEFT JOIN LATERAL (SELECT t.outcome FROM web_lettertry t
    WHERE t.client_id = m.client_id AND t.letter_id = m.id ORDER BY t.number DESC LIMIT 1) t ON true
  WHERE k.client_id = s.client_id AND k.kind = 'payslip' AND k.subject_id = s.id
    AND coalesce(t.outcome, '') NOT IN ('refused', 'given_up', 'left'))
ORDER BY p.payroll_number COLLATE "C"
"""


@command("payroll.prepare")
def notify_payslips(run_id: UUID) -> PayslipsNoticed:
    """Mail everybody of a released run that their payslip is there, once; those anew whose letter did not
    arrive. Amounts stand in no mail."""
    run = find_run(run_id)
    if not VaultFile.objects.filter(
        client_id=run.client_id,
        kind=papers.KIND,
        subject_id__in=_payslip_ids(run),
    ).exists():
        raise Conflict(f"the payslips of {run} are not issued yet; issue them, then tell their people")
    with connection.cursor() as cursor:
        cursor.execute(RECIPIENTS, [run.client_id, run.published_id])
        found = cursor.fetchall()
    reachable = [row for row in found if row[4]]
    letters.leave(letters.undelivered("payslip", [row[0] for row in reachable]), "it was written anew")
    drafts = _payslip_notices(run, reachable)
    title = f"Payslip notices of pay run {run.number}"
    mailing_id = letters.write("payslips", ("pay_run", run.id), title, drafts)
    everybody = selectors.run_figures(run).payslips
    return PayslipsNoticed(run.id, len(drafts), everybody - len(found), len(found) - len(drafts), mailing_id)


def _payslip_notices(run: PayRun, found: Sequence[tuple[Any, ...]]) -> list[Draft]:
    words = {
        "client": Client.objects.get(id=run.client_id).name,
        "day": format_day(run.pay_date),
        "firm": firm_name(),
    }
    return [
        Draft(
            letters.new_link("payslip", slip_id, address, user_id=user_id, person_id=person_id),
            f"Your payslip of {words['day']}",
            "web/mail_payslip.txt",
            words | {"name": name},
        )
        for slip_id, person_id, name, user_id, address in found
    ]


def _payslip_ids(run: PayRun) -> list[UUID]:
    if standing.released("pay_run", run.id) is None:
        return []
    return [slip.id for slip in selectors.payslips(run)]


def approvers_to_ask(run: PayRun) -> list[User]:
    """The client's approvers who made no part of a run, but those who handed it to a colleague of these."""
    makers = {maker.user_id for maker in approvals.makers("pay_run", run.id)}
    people = [
        user
        for user in holders_of("payroll.approve", run.client_id)
        if user.kind == "client" and user.id not in makers
    ]
    asked = handing_over.asked_instead(run, [user.id for user in people])
    return [user for user in people if user.id in asked]


@dataclass(frozen=True)
class ApproversAsked:
    run_id: UUID
    asked: int
    content_hash: str
    """What they were asked to approve: of exactly that, nobody is asked twice."""
    mailing_id: UUID | None = None

    @property
    def subject(self) -> str:
        return f"pay_run:{self.run_id}"


@command("payroll.prepare")
def ask_approver(run_id: UUID) -> ApproversAsked:
    """Mail the client's approvers, except who made part of the run, that it waits for their yes. Once for
    the same content."""
    run = find_run(run_id)
    PayRun.objects.select_for_update().get(client_id=run.client_id, id=run.id)  # of two at once, one asks
    if run.published_id is None or blockers_of(run):
        raise Conflict(f"{run} cannot be approved yet: calculate it, and solve its blockers")
    if standing.released("pay_run", run.id):
        raise Conflict(f"{run} is released: nothing of it waits for an approval")
    row = selectors.run_row(run.number)
    if row is not None and row.is_client_approved:
        raise Conflict(f"the client has approved {run} already")
    if asked_at := selectors.approval_asked_at(run):
        raise Conflict(f"the client was asked at {format_moment(asked_at)} to approve exactly this")
    people = approvers_to_ask(run)
    if not people:
        raise Conflict("nobody of the client's may approve this run; grant somebody the role client_approver")
    subject = f"Please approve pay run {run.number} of {Client.objects.get(id=run.client_id).name}"
    day, must = format_day(run.pay_date), wanted_of(run) == "must"
    drafts = [
        draft_to(user, "pay_run", run.id, subject, "web/mail_approve.txt", run=run.number, day=day, must=must)
        for user in people
    ]
    title = f"Pay run {run.number}: the client asked to approve"
    mailing_id = letters.write("approval", ("pay_run", run.id), title, drafts)
    assert run.content_hash is not None, "a calculated run has its hash"
    return ApproversAsked(run.id, len(drafts), bytes(run.content_hash).hex(), mailing_id)


def firm_name() -> str:
    row = installation()
    return row.firm_name if row else "Engineroom"


# --- opening --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A link as its token finds it."""

    id: UUID
    client_id: UUID
    kind: str
    subject_id: UUID
    for_user_id: UUID | None
    for_person_id: UUID | None
    expires_at: datetime
    used_at: datetime | None

    @property
    def is_over(self) -> bool:
        return self.used_at is not None or self.expires_at <= timezone.now()


def look(link_id: UUID, token: str) -> Found | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM app_link(%s, %s)", [link_id, letters.digest(token)])
        row = cursor.fetchone()
    return Found(link_id, *row) if row else None


def use(link_id: UUID, token: str) -> None:
    """Used up now, by us: of two at once, one gets it. Raises LinkOver for the other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT app_use_link(%s, %s)", [link_id, letters.digest(token)])
        if not cursor.fetchone()[0]:
            raise LinkOver("the link is used or too old")


OFFERS = {
    "payslip": ("Your payslip", "Open my payslip"),
    "pay_run": ("A pay run waits for your approval", "Look at the pay run"),
}


FORMS: dict[str, Callable[[HttpRequest, Found, str], HttpResponse]] = {}
"""What opens a form instead of one thing: looking does not use the link up, sending the form does."""


@never_cache
def open_link(request: HttpRequest, link_id: UUID, token: str) -> HttpResponse:
    """GET: what it opens, and a button. POST: that thing, once."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "POST"])
    found = look(link_id, token)
    if found is None or found.kind not in (*OPENS, *FORMS):
        return _over(request, None)
    if found.is_over:
        return _over(request, found)
    if found.kind in FORMS:
        try:
            return FORMS[found.kind](request, found, token)
        except (LinkOver, NotFound, NotPermitted):
            return _over(request, look(link_id, token))
    if request.method != "POST":
        title, button = OFFERS[found.kind]
        return render(request, "web/link.html", {"title": title, "button": button, "found": found})
    try:
        with acting(_reader(found), read=[found.client_id]):
            use(link_id, token)
            return OPENS[found.kind](request, found)
    except (LinkOver, NotFound, NotPermitted):
        return _over(request, look(link_id, token))


def _reader(found: Found) -> Identity:
    """The user whom it was made for, with what they may see today; a person without one has no face, so the
    system hands them their one paper."""
    return access.identity(found.for_user_id) if found.for_user_id else access.system_user()


def _over(request: HttpRequest, found: Found | None) -> HttpResponse:
    """Unknown, used and too old look alike to who guesses, and are told apart to who holds the token."""
    return render(request, "web/link_over.html", {"found": found}, status=410 if found else 404)


def _log(found: Found, kind: str) -> None:
    audit.record_read(
        found.client_id,
        subject_kind=kind,
        subject_id=found.subject_id,
        detail={"link": str(found.id), "person": str(found.for_person_id or "")},
    )


def _open_payslip(request: HttpRequest, found: Found) -> HttpResponse:
    file = VaultFile.objects.filter(
        client_id=found.client_id, kind=papers.KIND, subject_id=found.subject_id
    ).first()
    if file is None:
        raise NotFound("there is no such payslip for this reader")
    _log(found, "payslip")
    return file_answer(file, inline=True)


def _open_run(request: HttpRequest, found: Found) -> HttpResponse:
    run = PayRun.objects.filter(client_id=found.client_id, id=found.subject_id).first()
    if run is None or not current_scope().may("payroll.read", found.client_id):
        raise NotFound("there is no such run for this reader")
    client = Client.objects.get(id=found.client_id)
    _log(found, "pay_run")
    where = "portal_run" if _reader(found).kind == "client" else "payroll:run"
    url = reverse(where, args=[client.code, run.number])
    return render(
        request,
        "web/link_run.html",
        {**run_facts(run, client), "company": client, "run_url": url},
    )


OPENS: dict[str, Callable[[HttpRequest, Found], HttpResponse]] = {
    "payslip": _open_payslip,
    "pay_run": _open_run,
}


# --- the firm's buttons ---------------------------------------------------------------------------------


def _where(client: str, mailing_id: UUID | None) -> str | None:
    return reverse("letters", args=[client, mailing_id]) if mailing_id else None


@action("payroll.prepare")
def notify(request: PageRequest, client: str, number: int) -> Done:
    """Tell everybody of the run that their payslip is there."""
    done = notify_payslips(selectors.named_run(number).id, key=request.key)  # type: ignore[call-arg]
    parts: Sequence[str] = [
        f"{format_count(done.written, 'payslip notice is', 'payslip notices are')} on the way",
        f"{done.written_before} were mailed before" if done.written_before else "",
        f"{done.without_address} have no address" if done.without_address else "",
    ]
    return Done("; ".join(filter(None, parts)) + ".", to=_where(client, done.mailing_id))


@action("payroll.prepare")
def ask(request: PageRequest, client: str, number: int) -> str:
    """Ask the client's approvers for their yes."""
    done = ask_approver(selectors.named_run(number).id, key=request.key)  # type: ignore[call-arg]
    return f"{format_count(done.asked, 'approver is', 'approvers are')} asked by mail."


urlpatterns = [
    path("open/<uuid:link_id>/<str:token>", open_link, name="link"),
    path("c/<str:client>/runs/<int:number>/notify", notify, name="run_notify"),
    path("c/<str:client>/runs/<int:number>/ask", ask, name="run_ask"),
]
