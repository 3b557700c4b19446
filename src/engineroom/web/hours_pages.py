"""Customers asked about hours by mail: a link opens exactly one week's sheets, approves or disputes them
day by day, and is used up by the answer. No account is needed: whoever the customer named holds the mail.

An answer is taken in on behalf of whoever at the bureau asked. No answer is chased by the worker of jobs: a
reminder, then the stand-in, then the bureau's own lead and owner, each once, by the customer's dated policy.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation import duties
from engineroom.foundation.access import services as access
from engineroom.foundation.access.selectors import grants_on
from engineroom.foundation.commands import command
from engineroom.foundation.dated import is_over
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import acting, current_client_id
from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused, NotFound, NotPermitted
from engineroom.timesheets import asking, entering
from engineroom.timesheets.asking import RequestView
from engineroom.timesheets.entered import DayEntered, WeekView
from engineroom.ui.display import format_count, format_day
from engineroom.ui.pages import Done, PageRequest, action
from engineroom.web import letters, links
from engineroom.web.letters import Draft
from engineroom.web.models import Link
from engineroom.web.reminding import ESCALATED_TO

log = logging.getLogger(__name__)

KIND = "hours"


# --- asking -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CustomerAsked:
    """asked: to whom the letter goes. weeks: how many workers' sheets it is about."""

    request_id: UUID
    weeks: int
    asked: str
    mailing_id: UUID | None = None

    @property
    def subject(self) -> str:
        return f"answer_request:{self.request_id}"


@command("timesheets.prepare")
def ask_customer(customer: str, week_ending: date) -> CustomerAsked:
    """Mail whoever answers for a customer what its workers sent for a week, with a link that answers it."""
    found = asking.customer_named(customer)
    policy = asking.open_request(found.id, week_ending)
    view = asking.write_request(found, week_ending, policy)
    subject = f"Hours at {found.name} for the week ending {format_day(week_ending)}: please approve"
    mailing_id = _write(view, subject, "web/mail_hours.txt", policy.approver_name, policy.approver_email)
    return CustomerAsked(view.id, len(view.weeks), policy.approver_email, mailing_id)


def _write(view: RequestView, subject: str, template: str, name: str, address: str) -> UUID | None:
    link = letters.new_link(KIND, view.id, address, customer_id=view.customer_id)
    words = {
        "name": name,
        "client": Client.objects.get(id=link.client_id).name,
        "firm": links.firm_name(),
        "asked": view,
        "people": format_count(len(view.weeks), "person", "people"),
    }
    draft = Draft(link, subject, template, words)
    return letters.write("hours", ("answer_request", view.id), subject, [draft])


@dataclass(frozen=True)
class Chased:
    """what: reminded, backup or escalated. told: how many letters."""

    request_id: UUID
    what: str
    told: int
    mailing_id: UUID | None = None

    @property
    def subject(self) -> str:
        return f"answer_request:{self.request_id}"


@command("timesheets.prepare")
def chase_request(request_id: UUID, what: str) -> Chased:
    """Remind whoever was asked, turn to the stand-in, or tell the bureau's lead and owner. Each once."""
    if what not in asking.CHASES:
        raise InputRefused([], f"a request is not {what}; it is one of {', '.join(asking.CHASES)}")
    view = asking.open_one(request_id)
    policy, week = view.policy, format_day(view.week_ending)
    if what == "escalated":
        told, mailing_id = _tell_the_bureau(view)
        asking.note(view.id, what, f"{told} at the bureau")
        return Chased(view.id, what, told, mailing_id)
    name, address = policy.approver_name, policy.approver_email
    subject = f"Reminder: hours at {view.customer} for the week ending {week}"
    if what == "backup":
        name, address = policy.backup_name, policy.backup_email
        subject = f"In place of {policy.approver_name}: hours at {view.customer} for the week ending {week}"
        if not address:
            raise Conflict(f"nobody stands in for {policy.approver_name}")
    asking.note(view.id, what, f"{name} <{address}>")
    mailing_id = _write(view, subject, "web/mail_hours.txt", name, address)
    return Chased(view.id, what, 1, mailing_id)


def _tell_the_bureau(view: RequestView) -> tuple[int, UUID | None]:
    today = duties.today()
    people = {
        grant.user.id: grant.user
        for grant in grants_on(current_client_id())
        if grant.role in ESCALATED_TO and grant.user.is_active and not is_over(grant, today)
    }
    if not people:
        raise Conflict("there is nobody at the bureau to tell")
    subject = f"No answer from {view.customer} for the week ending {format_day(view.week_ending)}"
    code = Client.objects.get(id=current_client_id()).code
    where = reverse("timesheets:sent", args=[code])
    drafts = [
        links.draft_to(
            user, "hours_seen", view.id, subject, "web/mail_hours_late.txt", asked=view, where=where
        )
        for user in people.values()
    ]
    return len(drafts), letters.write("hours", ("answer_request", view.id), subject, drafts)


def chase_all(now: datetime | None = None) -> int:
    """Do what is due about every request without an answer, for whoever asked. Says how many times.

    One client's trouble leaves the others be.
    """
    system, done = access.system_user(), 0
    for client_id in access.all_client_ids():
        try:
            with acting(system, read=[client_id]):
                due = [(view.id, view.by_user_id, what) for view, what in asking.due_now(now)]
        except Exception:
            log.exception("client %s: its customers could not be looked at", client_id)
            continue
        for request_id, asked_by, what in due:
            try:
                with acting(system, write=client_id, on_behalf=access.identity(asked_by)):
                    chase_request(request_id, what)
                done += 1
            except EngineroomError as refused:
                log.info("client %s: no reminder of hours: %s", client_id, refused)
            except Exception:
                log.exception("client %s: its customer could not be reminded", client_id)
    return done


# --- the customer's page ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class AnswerRow:
    """A day as the customer answers it: what was typed is kept where the answer is refused."""

    week: WeekView
    day: DayEntered
    disputed: bool = False
    reason: str = ""

    @property
    def field(self) -> str:
        return f"{self.week.id.hex}_{self.day.day}"


def _rows(view: RequestView, posted: Any) -> list[tuple[WeekView, list[AnswerRow]]]:
    return [
        (
            week,
            [
                AnswerRow(
                    week,
                    day,
                    posted.get(f"{week.id.hex}_{day.day}") == "disputed",
                    posted.get(f"{week.id.hex}_{day.day}_reason", "").replace("\x00", ""),
                )
                for day in week.days
            ],
        )
        for week in view.weeks
    ]


def _disputed(rows: Sequence[tuple[WeekView, list[AnswerRow]]]) -> dict[UUID, list[entering.Disputed]]:
    return {
        week.id: [entering.Disputed(row.day.day, row.reason) for row in of_week if row.disputed]
        for week, of_week in rows
    }


def open_hours(http: HttpRequest, found: links.Found, token: str) -> HttpResponse:
    """What the mail's link leads to. Looking does not use the link up; answering does."""
    system = access.system_user()
    with acting(system, read=[found.client_id]):
        view = asking.find_request(found.subject_id)
        link = Link.objects.get(client_id=found.client_id, id=found.id)
        client = Client.objects.get(id=found.client_id)
        if not view.is_open:
            return render(http, "web/link_hours_over.html", {"asked": view}, status=410)
    rows, said = _rows(view, http.POST), ""
    if http.method == "POST":
        try:
            with acting(system, write=found.client_id, on_behalf=access.identity(view.by_user_id)):
                links.use(found.id, token)
                done = asking.answer_request(
                    view.id, said_by=f"{_name_of(view, link.address)}, by link", disputed=_disputed(rows)
                )
            return render(http, "web/link_hours_done.html", {"asked": view, "done": done})
        except EngineroomError as error:
            if isinstance(error, (links.LinkOver, NotFound, NotPermitted)):
                raise
            problems = getattr(error, "problems", ())
            said = "; ".join(f"{p.problem}. {p.remedy}" for p in problems) or str(error)
    context = {"asked": view, "rows": rows, "said": said, "found": found, "company": client}
    return render(http, "web/link_hours.html", context, status=422 if said else 200)


def _name_of(view: RequestView, address: str) -> str:
    """Whose mail it was, and where it went."""
    is_backup = address == view.policy.backup_email and address != view.policy.approver_email
    return f"{view.policy.backup_name if is_backup else view.policy.approver_name} <{address}>"


def _open_late(request: HttpRequest, found: links.Found) -> HttpResponse:
    """The bureau's own letter leads to the page of what was sent; signed in."""
    client = Client.objects.get(id=found.client_id)
    return render(request, "web/link_hours_late.html", {"company": client})


links.OFFERS["hours_seen"] = ("A customer has not answered for hours", "Look at it")
links.OPENS["hours_seen"] = _open_late
links.OFFERS[KIND] = ("Hours wait for your answer", "Answer")
links.FORMS[KIND] = open_hours


# --- the firm's buttons -----------------------------------------------------------------------------------


@action("timesheets.prepare")
def ask(request: PageRequest, client: str) -> Done:
    """Ask a customer about a week that its workers sent."""
    try:
        ending = date.fromisoformat(request.POST.get("week", ""))
    except ValueError:
        raise NotFound("say which week, as 2026-11-22") from None
    done = ask_customer(request.POST.get("customer", ""), ending, key=request.key)  # type: ignore[call-arg]
    said = f"{done.asked} is asked about {format_count(done.weeks, 'sheet')}."
    return Done(said, to=reverse("timesheets:sent", args=[client]))


@action("timesheets.prepare")
def chase(request: PageRequest, client: str, request_id: UUID) -> Done:
    """Remind, or turn to the stand-in, before the policy does."""
    what = request.POST.get("what", "reminded")
    done = chase_request(request_id, what, key=request.key)  # type: ignore[call-arg]
    return Done(
        f"{format_count(done.told, 'letter')} on the way.", to=reverse("timesheets:sent", args=[client])
    )


urlpatterns = [
    path("c/<str:client>/time/sent/ask", ask, name="hours_ask"),
    path("c/<str:client>/time/requests/<uuid:request_id>/chase", chase, name="hours_chase"),
]
