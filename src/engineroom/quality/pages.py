"""The board of promises, one case's clock explained, a client's promises and hours, and the scorecard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.foundation.access.roles import may
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import InputRefused, NotFound, Problem
from engineroom.quality import clocks, services
from engineroom.quality.clocks import CaseClock
from engineroom.quality.scorecard import SHOWS, month_of, scorecard
from engineroom.sop import beside
from engineroom.sop.hours import DIVISIONS, HoursRefused, week_from
from engineroom.sop.models import Case, Procedure
from engineroom.sop.sla import STATE_WORDS, State, duration
from engineroom.sop.zones import zone_of
from engineroom.ui.fields import Group, GroupedForm, LineField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, form_of, page
from engineroom.ui.parts import Crumb

app_name = "quality"
CLIENTS = ("client",)

NAVIGATION = [
    NavigationEntry("Promises", "quality:board", key="m", order=25, of="firm"),
    NavigationEntry("Promises", "quality:promises", "quality.read", order=260),
    NavigationEntry("Scorecard", "quality:scorecard", "quality.read", order=261, under="quality:promises"),
    NavigationEntry("Our service", "quality:service", "quality.read", key="s", order=140, faces=CLIENTS),
]

SHAPES = {
    State.RUNNING: "run",
    State.PAUSED: "held",
    State.AT_RISK: "wait",
    State.BREACHED: "risk",
    State.MET: "done",
    State.SKIPPED: "void",
    State.CANCELLED: "void",
}
ALL = "*"
"""In a form, the promise to all procedures that have none of their own."""
FIRST = [State.BREACHED, State.AT_RISK, State.RUNNING, State.PAUSED]
SHOW_WORDS = {
    "on-time": "on time",
    "late": "late",
    "cancelled": "cancelled",
    "first-time-right": "right the first time",
    "reworked": "sent back at least once",
    "waited": "waited for the client",
    "skipped": "with a step left out",
}


@dataclass(frozen=True)
class Row:
    """A clock as it stands in a table."""

    client: Client | None
    case: Case
    shape: str
    word: str
    due: datetime | None
    used: str
    left: str
    over: bool
    used_minutes: int
    budget_minutes: int
    step: str
    prediction: str
    reworks: int
    waited: str


def _row(one: CaseClock, client: Client | None = None) -> Row:
    read, zone = one.reading, one.clock.hours
    return Row(
        client,
        one.row,
        SHAPES[read.state],
        STATE_WORDS[read.state],
        zone.local(read.due) if read.due is not None else None,
        duration(read.elapsed_s),
        duration(abs(read.left_s)),
        read.left_s < 0,
        read.elapsed_s // 60,
        max(1, read.budget_s // 60),
        ", ".join(dict.fromkeys(one.waits_at)),
        one.prediction.in_words() if one.prediction else "",
        one.reworks,
        duration(read.paused_s) if read.paused_s else "",
    )


@dataclass(frozen=True)
class ClockBeside:
    """A clock on its case's page. waits_since: it stands still for the client since then."""

    row: Row
    policy: str
    prediction: str
    waits_since: datetime | None


def clock_beside(case: Case) -> beside.Beside | None:
    """What is left of the promise, or whom the case waits for."""
    if not current_scope().may("quality.read", case.client_id):
        return None
    one = clocks.clock_of(case)
    if one is None:
        return None
    pause = one.clock.pauses[-1] if one.reading.state is State.PAUSED else None
    since = one.clock.hours.local(pause.start) if pause else None
    prediction = (
        one.prediction.in_words() if one.prediction and one.prediction.remaining_s is not None else ""
    )
    it = ClockBeside(_row(one), one.clock.policy.name, prediction, since)
    return beside.Beside("quality/beside.html", it)


@page(None, scope="mine")
def board(request: PageRequest) -> HttpResponse:
    """Every promise that runs, over all my clients: what is late or about to be stands at the top."""
    mine = {client.id: client for client, roles in request.clients if may(roles, "quality.read")}
    rows = [(one, _row(one, mine[one.row.client_id])) for one in clocks.running_of(mine)]
    rows.sort(key=lambda r: (FIRST.index(r[0].reading.state), r[0].reading.due or 2**62, r[0].row.number))
    counts = [(state, sum(1 for one, _ in rows if one.reading.state is state)) for state in FIRST]
    context = {
        "rows": [row for _, row in rows[: clocks.MOST_CASES]],
        "counts": [(STATE_WORDS[state], count, SHAPES[state]) for state, count in counts],
    }
    return render(request, "quality/board.html", context)


@page("quality.read")
def clock(request: PageRequest, client: str, number: int) -> HttpResponse:
    """Why a case's clock stands where it does."""
    return render(request, "quality/clock.html", _clock(request, number))


@page("quality.read", faces=CLIENTS)
def service_case(request: PageRequest, client: str, number: int) -> HttpResponse:
    """The same to the client: when it ran, when it waited for them."""
    return render(request, "quality/clock.html", {**_clock(request, number), "portal": True})


def _clock(request: PageRequest, number: int) -> dict[str, Any]:
    assert request.client is not None
    row = Case.objects.filter(client_id=request.client.id, number=number).first()
    if row is None:
        raise NotFound(f"there is no case {number}")
    one = clocks.clock_of(row)
    now = int(timezone.now().timestamp())
    return {
        "case": row,
        "row": _row(one) if one else None,
        "lines": one.explained(now) if one else [],
        "crumbs": [Crumb("Promises", reverse("quality:promises", args=[request.client.code]))],
    }


def _procedures() -> list[tuple[str, str]]:
    return [("", "all procedures"), *Procedure.objects.order_by("title").values_list("key", "title")]


class PromiseForm(GroupedForm):
    groups = (
        Group("What is promised", ["procedure", "name", "hours", "minutes"]),
        Group("How it is counted, and why", ["warn", "reason", "pauses"]),
    )

    procedure = forms.ChoiceField(
        choices=_procedures, required=False, help_text="Its cases, or all that have no promise."
    )
    name = LineField(max_length=100)
    hours = forms.IntegerField(min_value=0, max_value=9_000, label="Working hours", initial=8)
    minutes = forms.IntegerField(min_value=0, max_value=59, initial=0)
    pauses = forms.BooleanField(required=False, initial=True, label="Stands still while the client is asked")
    warn = forms.IntegerField(min_value=1, max_value=100, initial=80, label="At risk from percent used")
    reason = LineField(max_length=300, required=False)


class EndForm(GroupedForm):
    procedure = forms.ChoiceField(label="Promise for")
    reason = LineField(max_length=services.LONGEST_REASON)

    def __init__(self, in_force: dict[str, str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["procedure"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(key or ALL, title) for key, title in in_force.items()]


class HoursForm(GroupedForm):
    groups = (
        Group("When work counts", ["week", "zone", "division"]),
        Group("When it does not", ["closed"]),
        Group("Why", ["reason", "whole"]),
    )

    week = forms.CharField(max_length=300, initial="Mon-Fri 09:00-17:30", help_text="Days and their spans.")
    zone = forms.CharField(max_length=60, initial="Europe/London", label="Time zone")
    division = forms.ChoiceField(
        required=False,
        initial="ENG",
        label="Bank holidays of",
        choices=[("", "none"), *DIVISIONS.items()],
    )
    closed = forms.CharField(
        required=False,
        max_length=2_000,
        label="Closed besides",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="A line each: 2026-12-24 Christmas Eve.",
    )
    whole = forms.BooleanField(required=False, label="A correction: recount everything that was")
    reason = LineField(max_length=300, required=False)


@page("quality.read")
def promises(request: PageRequest, client: str) -> HttpResponse:
    """What is promised to a client, in which hours, and how the running cases stand."""
    assert request.client is not None
    terms = clocks.terms_of(request.client.id)
    titles = _promised(terms)
    in_force = [
        (titles[key], policy, duration(policy.budget_s), datetime.fromtimestamp(since, UTC))
        for key, rows in sorted(terms.promises.items())
        for since, policy in rows[-1:]
        if policy is not None
    ]
    hours = terms.hours[-1][1] if terms.hours else clocks.OFFICE
    typed = HoursForm(prefix="hours", initial=_as_typed(hours) if terms.hours else None)
    context = {
        "zone": zone_of(request.client.id),
        "in_force": in_force,
        "hours": hours.in_words(),
        "own_hours": bool(terms.hours),
        "closed": hours.closed,
        "rows": [_row(one) for one in clocks.running(request.client.id)],
        "promise": form_of(request, PromiseForm(prefix="promise")),
        "ending": form_of(request, EndForm(titles, prefix="end")),
        "hours_form": form_of(request, typed),
        "may": request.may("quality.prepare"),
    }
    return render(request, "quality/promises.html", context)


def _as_typed(hours: Any) -> dict[str, Any]:
    return {
        "week": hours.week_in_words(),
        "zone": hours.zone,
        "division": hours.division or "",
        "closed": "\n".join(f"{day} {name}" for day, name in hours.closed),
    }


def _promised(terms: clocks.Terms) -> dict[str, str]:
    """What something is promised for now: procedures by their keys and titles."""
    titles = {"": "all procedures", **dict(Procedure.objects.values_list("key", "title"))}
    return {
        key: titles.get(key, key) for key, rows in sorted(terms.promises.items()) if rows[-1][1] is not None
    }


@action("quality.prepare")
def make_promise(request: PageRequest, client: str) -> Done:
    values = filled_in(PromiseForm(request.POST, prefix="promise"))
    services.promise(
        values["name"],
        values["hours"] * 3600 + values["minutes"] * 60,
        procedure_key=values["procedure"],
        pauses_for_client=values["pauses"],
        warn_percent=values["warn"],
        reason=values["reason"],
        key=request.key,  # type: ignore[call-arg]
    )
    return Done("Promised. Cases that run are counted by it.", to=reverse("quality:promises", args=[client]))


@action("quality.prepare")
def end_promise(request: PageRequest, client: str) -> Done:
    assert request.client is not None
    titles = _promised(clocks.terms_of(request.client.id))
    values = filled_in(EndForm(titles, request.POST, prefix="end"))
    key = "" if values["procedure"] == ALL else values["procedure"]
    services.end_promise(procedure_key=key, reason=values["reason"], key=request.key)  # type: ignore[call-arg]
    said = f"Nothing is promised for {titles[key]} any more."
    return Done(said, to=reverse("quality:promises", args=[client]))


@action("quality.prepare")
def change_hours(request: PageRequest, client: str) -> Done:
    values = filled_in(HoursForm(request.POST, prefix="hours"))
    definition = {
        "name": "working hours",
        "zone": values["zone"].strip(),
        "week": _week(values["week"]),
        "division": values["division"] or None,
        "closed": _closed(values["closed"]),
    }
    done = services.set_hours(definition, whole=values["whole"], reason=values["reason"], key=request.key)  # type: ignore[call-arg]
    return Done(f"Work counts {done.words}.", to=reverse("quality:promises", args=[client]))


def _week(text: str) -> list[list[list[int]]]:
    try:
        return [[list(span) for span in spans] for spans in week_from(text)]
    except HoursRefused as error:
        raise InputRefused([Problem(str(error), "Correct it", field="Week")]) from error


def _closed(text: str) -> list[list[str]]:
    found = []
    for number, line in enumerate(filter(None, (ln.strip() for ln in text.splitlines())), 1):
        day, _, name = line.partition(" ")
        try:
            found.append([date.fromisoformat(day).isoformat(), name.strip()[:60] or "closed"])
        except ValueError:
            raise InputRefused(
                [
                    Problem(
                        f"line {number}: {day!r} is no day",
                        "Write 2026-12-24 Christmas Eve",
                        field="Closed besides",
                    )
                ]
            ) from None
    return found


@page("quality.read")
def card(request: PageRequest, client: str) -> HttpResponse:
    """How promises to this client were kept, month by month."""
    return render(request, "quality/scorecard.html", _card(request))


@page("quality.read", faces=CLIENTS)
def service(request: PageRequest, client: str) -> HttpResponse:
    """The client's own view of it: the same figures, from the same events."""
    return render(request, "quality/scorecard.html", {**_card(request), "portal": True})


def _card(request: PageRequest) -> dict[str, Any]:
    assert request.client is not None
    first, last = month_of(_month(request.GET.get("month", "")))
    show = request.GET.get("show", "")
    show = show if show in SHOWS else ""
    found = scorecard(request.client.id, first, last)
    before, _ = month_of(date.fromordinal(first.toordinal() - 1))
    after = date.fromordinal(last.toordinal() + 1)
    return {
        "card": found,
        "zone": zone_of(request.client.id),
        "rows": [_row(one) for one in found.of(show)],
        "show": show,
        "filtered": f"{SHOW_WORDS[show]}, {found.count(show)} of {len(found.cases)}" if show else "",
        "counts": {name.replace("-", "_"): found.count(name) for name in SHOWS},
        "worked": duration(found.worked_s // 60 * 60),
        "waited": duration(found.waited_s // 60 * 60),
        "month": f"{first:%Y-%m}",
        "before": f"{before:%Y-%m}",
        "after": f"{after:%Y-%m}" if after <= timezone.now().date() else "",
        "first": first,
        "last": last,
    }


def _month(text: str) -> date:
    if re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", text):
        return date.fromisoformat(f"{text}-01")
    return timezone.now().date()


urlpatterns = [
    path("promises", board, name="board"),
    path("c/<str:client>/promises", promises, name="promises"),
    path("c/<str:client>/promises/make", make_promise, name="promise_make"),
    path("c/<str:client>/promises/end", end_promise, name="promise_end"),
    path("c/<str:client>/promises/hours", change_hours, name="hours_set"),
    path("c/<str:client>/clocks/<int:number>", clock, name="clock"),
    path("c/<str:client>/scorecard", card, name="scorecard"),
    path("portal/<str:client>/service", service, name="service"),
    path("portal/<str:client>/service/<int:number>", service_case, name="service_case"),
]
