"""A period's inputs: when they close, its workbook out and in, and what was brought. On the firm's face, and
in the portal, where a contact fills the same workbook."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse

from engineroom.foundation import duties
from engineroom.foundation.access.models import User
from engineroom.foundation.commands import keyed
from engineroom.foundation.tenancy.scope import FACE_OF_KIND
from engineroom.foundation.vault.answers import file_of
from engineroom.kernel.errors import LONGEST_REASON, NotFound
from engineroom.payday import steps
from engineroom.payroll import cut_off, schedules, workbook_imports
from engineroom.payroll.engine.schedules import Period
from engineroom.payroll.models import PaySchedule
from engineroom.payroll.workbook import XLSX
from engineroom.ui.display import format_period
from engineroom.ui.fields import DayField, GroupedForm, LineField
from engineroom.ui.pages import (
    Done,
    NavigationEntry,
    PageRequest,
    action,
    address,
    filled_in,
    form_of,
    page,
)
from engineroom.web.imports_pages import BY_OTHERS, kept_upload

NAVIGATION = [
    NavigationEntry("Inputs", "inputs", "payroll.read", order=233, under="payroll:runs"),
    NavigationEntry("Inputs", "portal_inputs", "timesheets.prepare", key="n", order=115, faces=("client",)),
]

SHAPES = {
    "open": ("open", "Open"),
    "let in": ("run", "Late inputs let in"),
    "closed": ("wait", "Closed"),
    "released": ("done", "Released"),
}
SHOWN_PERIODS = 3
LOOK_BACK = timedelta(days=62)
PAID_SINCE = timedelta(days=7)


class WorkbookIn(forms.Form):
    """A workbook that was filled in."""

    file = forms.FileField(
        label="Workbook",
        allow_empty_file=True,
        help_text="As it was downloaded here, filled in.",
        error_messages={"required": "There is no file. Choose one, or drop it on the form."},
    )


class LetIn(GroupedForm):
    """Until when late inputs are in time, and why."""

    until = DayField(label="Let in until")
    reason = LineField(max_length=LONGEST_REASON, help_text="It is kept, and shown to the client.")


@dataclass(frozen=True)
class PeriodRow:
    """A period of a schedule in the list."""

    schedule: PaySchedule
    period: Period
    cut_off: cut_off.CutOff
    shape: str
    word: str
    workbooks: int
    url: str


def _prefix(request: PageRequest) -> str:
    return "portal_" if FACE_OF_KIND[request.identity.kind] == "client" else ""


def _address(request: PageRequest, name: str, *more: object) -> str:
    assert request.client is not None
    return reverse(f"{_prefix(request)}{name}", args=[request.client.code, *more])


def _inputs(request: PageRequest, client: str) -> HttpResponse:
    """Every schedule with the periods whose inputs are asked for now."""
    today = duties.today()
    rows = [
        _row(request, schedule, period)
        for schedule in schedules.pay_schedules()
        for period in _current(schedule, today)
    ]
    rows.sort(key=lambda row: (row.period.paid, row.schedule.code))
    at_the_firm = FACE_OF_KIND[request.identity.kind] == "firm"
    schedules_url = reverse("payroll:schedules", args=[client]) if at_the_firm else ""
    return render(request, "web/inputs.html", {"rows": rows, "schedules_url": schedules_url})


def _current(schedule: PaySchedule, today: date) -> list[Period]:
    """From the period that was just paid on."""
    found = schedules.periods_from(schedule, today - LOOK_BACK, 16)
    return [p for p in found if p.paid >= today - PAID_SINCE][:SHOWN_PERIODS]


def _row(request: PageRequest, schedule: PaySchedule, period: Period) -> PeriodRow:
    closes = cut_off.cut_off_of(schedule, period)
    shape, word = SHAPES[closes.state]
    taken = len(workbook_imports.workbooks_taken(schedule, period))
    url = _address(request, "inputs_period", schedule.code, period.paid.isoformat())
    return PeriodRow(schedule, period, closes, shape, word, taken, url)


def _named(schedule: str, pay_date: str) -> tuple[PaySchedule, Period]:
    try:
        day = date.fromisoformat(pay_date)
    except ValueError:
        raise NotFound("write the pay date as 2026-11-27") from None
    row = schedules.find_schedule(schedule)
    return row, schedules.paid_on(row, day)


def _period(request: PageRequest, client: str, schedule: str, pay_date: str) -> HttpResponse:
    """One period: until when its inputs are in time, its workbook, and the workbooks that came."""
    row, period = _named(schedule, pay_date)
    closes = cut_off.cut_off_of(row, period)
    state = closes.state
    shape, word = SHAPES[state]
    taken = workbook_imports.workbooks_taken(row, period)
    users = dict(User.objects.filter(id__in={t.by_user_id for t in taken}).values_list("id", "name"))
    run = schedules.regular_run_of(row, period.starts)
    run_page = "portal_run" if _prefix(request) else "payroll:run"
    at = (row.code, period.paid.isoformat())
    may_let_in = request.may("foundation.prepare") and closes.day is not None and closes.run is None
    context = {
        "schedule": row,
        "period": period,
        "cut_off": closes,
        "shape": shape,
        "word": word,
        "run": run,
        "run_url": address(run_page, client, run.number) if run else "",
        "people": len(workbook_imports.of_period(row, period).people),
        "late": cut_off.items_too_late(row, period, closes.closes),
        "taken": [
            (
                one,
                users.get(one.by_user_id) or BY_OTHERS[_prefix(request)],
                _address(request, "import_seen", one.commit.preview_id),
            )
            for one in taken
        ],
        "inputs_url": _address(request, "inputs"),
        "items_url": "" if _prefix(request) else address("payroll:items", client),
        "workbook_url": _address(request, "workbook", *at) if "pay" not in request.masked else "",
        "bring_url": _address(request, "workbook_bring", *at),
        "form": form_of(request, WorkbookIn())
        if request.may("timesheets.prepare") and state in ("open", "let in")
        else None,
        "let_in_url": "" if _prefix(request) else _address(request, "inputs_let_in", *at),
        "let_in_form": form_of(request, LetIn(initial={"until": period.paid})) if may_let_in else None,
    }
    return render(request, "web/inputs_period.html", context)


def _workbook(request: PageRequest, client: str, schedule: str, pay_date: str) -> HttpResponse:
    """The workbook, filled with the period's people and what was said of them."""
    row, period = _named(schedule, pay_date)
    name, content, people = workbook_imports.workbook_of(row.code, period.paid)
    request.reading(row.id, rows=people)
    return file_of(content, name, XLSX)


def _bring(request: PageRequest, client: str, schedule: str, pay_date: str) -> Done:
    """Read the workbook and say everything that is wrong with it. Nothing is taken."""
    row, period = _named(schedule, pay_date)
    asked = filled_in(WorkbookIn(request.POST, request.FILES))
    with tempfile.TemporaryDirectory() as folder:
        there = kept_upload(Path(folder), asked["file"])
        workbook_imports.require_period(there, row, period)
        seen, _ = steps.preview("workbook", there)
    return Done(
        f"{seen.file_name} was taken before, to the byte."
        if seen.already_taken
        else f"{seen.file_name} is read. Nothing of it is taken yet.",
        to=_address(request, "import_seen", seen.preview_id),
    )


@action("foundation.prepare")
def let_in(request: PageRequest, client: str, schedule: str, pay_date: str) -> Done:
    """Let late inputs of a period in until a day."""
    row, period = _named(schedule, pay_date)
    asked = filled_in(LetIn(request.POST))
    with keyed(request.key):
        done = cut_off.let_late_inputs_in(row.code, period.paid, until=asked["until"], reason=asked["reason"])
    words = format_period(period.starts, period.ends)
    return Done(
        f"Inputs of {words} are in time until {done.until}.",
        to=_address(request, "inputs_period", row.code, period.paid.isoformat()),
    )


def _addresses(face: str, root: str, prefix: str) -> list[URLPattern]:
    faces = (face,)
    at = f"{root}/inputs/<str:schedule>/<str:pay_date>"
    listed = page("payroll.read", faces=faces)(_inputs)
    period = page("payroll.read", faces=faces)(_period)
    download = page("payroll.read", faces=faces, reads="pay_schedule")(_workbook)
    bring = action("timesheets.prepare", faces=faces)(_bring)
    return [
        path(f"{root}/inputs", listed, name=f"{prefix}inputs"),
        path(at, period, name=f"{prefix}inputs_period"),
        path(f"{at}/workbook", download, name=f"{prefix}workbook"),
        path(f"{at}/bring", bring, name=f"{prefix}workbook_bring"),
    ]


urlpatterns = [
    *_addresses("firm", "c/<str:client>", ""),
    *_addresses("client", "portal/<str:client>", "portal_"),
    path("c/<str:client>/inputs/<str:schedule>/<str:pay_date>/let-in", let_in, name="inputs_let_in"),
]
