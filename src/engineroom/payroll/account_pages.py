"""Where runs are posted, by line and cost centre, and the journal of a run."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import content_disposition_header

from engineroom.foundation.commands import keyed
from engineroom.kernel.errors import LONGEST_REASON, NotPermitted
from engineroom.ledger import services as ledger
from engineroom.ledger.models import ACCOUNT_TYPES
from engineroom.payroll import account_map, journal, selectors
from engineroom.ui.fields import DayField, GroupedForm, LineField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, form_of, page

NAVIGATION = [
    NavigationEntry("Account map", "payroll:accounts", "ledger.read", order=510, under="ledger:books")
]

SIDES = {"cost": "What employing costs", "owed": "What is owed for it", "aside": "What is put aside"}


class MapLine(GroupedForm):
    """A line goes to another account from a payday on."""

    line = forms.CharField(max_length=60, widget=forms.Select)
    cost_centre = LineField(
        max_length=40, required=False, help_text="Of people whose terms have it; empty: of all the others."
    )
    account = forms.CharField(
        max_length=20, required=False, widget=forms.Select, help_text="Empty: where the law's own map has it."
    )
    starts = DayField(label="For paydays from")
    reason = LineField(max_length=LONGEST_REASON)

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        postings = account_map.country().postings
        lines = [line for line in postings.lines() if line != postings.net]
        self.fields["line"].widget.choices = [
            (title, [(line.code, line.label) for line in lines if line.side == side])
            for side, title in SIDES.items()
        ]
        accounts = account_map.book().accounts
        self.fields["account"].widget.choices = [
            ("", "as the law's own map has it"),
            *((code, f"{code} {name}") for code, (name, _) in sorted(accounts.items())),
        ]


class AddAccount(GroupedForm):
    """An account of the client's own."""

    code = LineField(max_length=20, help_text="As the client's books call it.")
    name = LineField(max_length=100)
    type = forms.ChoiceField(choices=[(t, t.capitalize()) for t in ACCOUNT_TYPES])
    is_control = forms.BooleanField(
        required=False, label="Control account", help_text="Its balance is the sum of its open items."
    )


def _labels() -> dict[str, str]:
    """What the lines of a run's entry are called."""
    return {line.code: line.label for line in account_map.country().postings.lines()}


@page("ledger.read")
def accounts(request: PageRequest, client: str) -> HttpResponse:
    """Every line of a run with its account today, what keeps it from being posted, and what was said when."""
    today = timezone.now().date()
    known, lines = account_map.lines_on(today)
    may, labels = request.may("ledger.prepare"), _labels()
    context = {
        "groups": [(title, [row for row in lines if row.side == side]) for side, title in SIDES.items()],
        "version": known.version,
        "versions": [
            (v, [(labels.get(row.line, row.line), row) for row in v.rows]) for v in account_map.versions()
        ],
        "wrong": [row for row in lines if row.wrong],
        "map_form": form_of(request, MapLine(initial={"starts": today.replace(day=1)})) if may else None,
        "add_form": form_of(request, AddAccount(prefix="new")) if may else None,
    }
    return render(request, "payroll/accounts.html", context)


@action("ledger.prepare")
def map_line(request: PageRequest, client: str) -> Done:
    """Say where a line goes; runs that are released stay as they were posted."""
    asked = filled_in(MapLine(request.POST))
    row = account_map.Mapped(asked["line"], asked["account"], asked["starts"], asked["cost_centre"])
    with keyed(request.key):
        done = account_map.map_accounts([row], reason=asked["reason"])
    where = f"goes to {row.account}" if row.account else "goes where the law's own map has it"
    label = _labels().get(row.line, row.line)
    what = f"{label} {where} for paydays from {row.starts}: version {done.version} of the map."
    return Done(what, reverse("payroll:accounts", args=[client]))


@action("ledger.prepare")
def add_account(request: PageRequest, client: str) -> Done:
    """Add an account to the client's book."""
    asked = filled_in(AddAccount(request.POST, prefix="new"))
    with keyed(request.key):
        done = ledger.add_account(asked["code"], asked["name"], asked["type"], is_control=asked["is_control"])
    return Done(f"Account {done.code} is in the book.", reverse("payroll:accounts", args=[client]))


# --- the journal of a run ---------------------------------------------------------------------------------


@page("ledger.read")
def run_journal(request: PageRequest, client: str, number: int) -> HttpResponse:
    """What a run posts, line by line, in the client's accounts."""
    assert request.client is not None
    run = selectors.named_run(number)
    row = selectors.run_row(number)
    known, rows = journal.journal_of(run) if run.published_id else (account_map.map_of(run.pay_date), [])
    context = {
        "run": run,
        "run_word": f"Run {number}",
        "is_released": row is not None and row.is_released,
        "version": known.version,
        "rows": rows,
        "debit": sum(r.debit for r in rows),
        "credit": sum(r.credit for r in rows),
        "currency": request.client.currency,
        "hides_pay": "pay" in request.masked,
        "unmapped": account_map.unmapped(run),
    }
    return render(request, "payroll/journal.html", context)


@page("ledger.read")
def journal_file(request: PageRequest, client: str, number: int) -> HttpResponse:
    """The same as a file for a bookkeeping program."""
    assert request.client is not None
    if "pay" in request.masked:
        raise NotPermitted("the journal shows pay data, which your role does not see")
    run = selectors.named_run(number)
    _, rows = journal.journal_of(run)
    name = f"journal-{run.pay_date}-run-{number}.csv"
    written = journal.as_csv(run, rows, request.client.currency)
    answer = HttpResponse(written, content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = content_disposition_header(True, name) or ""
    return answer


urlpatterns = [
    path("c/<str:client>/account-map", accounts, name="accounts"),
    path("c/<str:client>/account-map/do/map", map_line, name="account_map"),
    path("c/<str:client>/account-map/do/add", add_account, name="account_add"),
    path("c/<str:client>/runs/<int:number>/do/journal", run_journal, name="journal"),
    path("c/<str:client>/runs/<int:number>/do/journal.csv", journal_file, name="journal_file"),
]
