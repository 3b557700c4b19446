"""Pay schedules with their next paydays, and the items that wait for a run."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from engineroom.foundation.commands import keyed
from engineroom.foundation.dated import lives_on
from engineroom.kernel.errors import LONGEST_REASON, InputRefused, Problem
from engineroom.payroll import items, selectors
from engineroom.payroll import schedules as found
from engineroom.payroll.engine.proration import BASES
from engineroom.payroll.engine.schedules import PAY_RULES
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import OnSchedule
from engineroom.payroll.services import KINDS
from engineroom.people.models import Person
from engineroom.people.selectors import person_numbered
from engineroom.ui.fields import DayField, Group, GroupedForm, HoursField, LineField, MoneyField
from engineroom.ui.pages import Done, PageRequest, action, filled_in, form_of, page

PERIODS_SHOWN = 3


def _words(code: str) -> str:
    return code.replace("_", " ")


def _choices(codes: Any) -> list[tuple[str, str]]:
    return [(code, _words(code).capitalize()) for code in codes]


class AddSchedule(GroupedForm):
    """A schedule: how often, from which day, and when it is paid."""

    groups = (
        Group("What it is", ["code", "name", "frequency", "anchor"]),
        Group("When it is paid", ["pay_rule", "pay_day", "cut_off_days", "proration"]),
    )

    code = LineField(max_length=20, help_text="What it is called here, such as MONTHLY.")
    name = LineField(max_length=100)
    frequency = forms.ChoiceField()
    anchor = DayField(label="A period begins on", help_text="The first day of any one of its periods.")
    pay_rule = forms.ChoiceField(label="Paid on", choices=_choices(PAY_RULES))
    pay_day = forms.IntegerField(
        required=False, min_value=0, max_value=60, help_text="Day of the month, or days after the end."
    )
    cut_off_days = forms.IntegerField(
        required=False, min_value=0, max_value=30, label="Inputs close",
        help_text="Banking days before pay day.",
    )  # fmt: skip
    proration = forms.ChoiceField(label="A part is counted in", choices=_choices(BASES))

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        field = self.fields["frequency"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = _choices(jurisdiction(items.country()).frequencies)


class PutOn(GroupedForm):
    """Somebody on a schedule."""

    payroll_number = LineField(max_length=20)
    schedule = forms.CharField(max_length=20, widget=forms.Select)
    starts = DayField(label="From")


class OpenScheduled(GroupedForm):
    """A run of a schedule."""

    schedule = forms.CharField(max_length=20, widget=forms.Select)
    pay_date = DayField(label="Pay date")
    kind = forms.ChoiceField(
        choices=_choices(KINDS),
        help_text="All but regular pay their own items; a final one also who has left.",
    )


def run_form(given: Any = None, **more: Any) -> OpenScheduled:
    """The form for a run, which offers the client's schedules."""
    return _with_schedules(OpenScheduled(given, **more))


F = TypeVar("F", bound=forms.Form)


def _with_schedules(form: F) -> F:
    form.fields["schedule"].widget.choices = [
        (row.code, f"{row.code}: {row.name}") for row in found.pay_schedules() if row.ends is None
    ]
    return form


@page("payroll.read")
def schedules(request: PageRequest, client: str) -> HttpResponse:
    """Every schedule with its next paydays, and how many people are on it."""
    today = timezone.now().date()
    rows = [
        (row, found.periods_from(row, today, PERIODS_SHOWN), _people_on(row.id, today))
        for row in found.pay_schedules()
    ]
    may = request.may("payroll.prepare")
    open_ones = [(row, periods) for row, periods, _ in rows if periods and row.ends is None]
    context = {
        "rows": [(row, _words(row.frequency), periods, people) for row, periods, people in rows],
        "run_form": form_of(request, run_form(initial={"pay_date": open_ones[0][1][0].paid}))
        if may and open_ones
        else None,
        "put_form": form_of(request, _with_schedules(PutOn(initial={"starts": today.replace(day=1)})))
        if may and open_ones
        else None,
        "add_form": form_of(request, AddSchedule(initial={"anchor": today.replace(day=1)})) if may else None,
    }
    return render(request, "payroll/schedules.html", context)


def _people_on(schedule_id: UUID, day: Any) -> int:
    return OnSchedule.objects.filter(lives_on(day), schedule_id=schedule_id).count()


@action("payroll.prepare")
def add_schedule(request: PageRequest, client: str) -> Done:
    """Add one; what is wrong stands beside its field."""
    asked = filled_in(AddSchedule(request.POST))
    with keyed(request.key):
        done = found.add_pay_schedule(
            asked["code"],
            asked["name"],
            frequency=asked["frequency"],
            anchor=asked["anchor"],
            pay_rule=asked["pay_rule"],
            pay_day=asked["pay_day"] or 0,
            cut_off_days=asked["cut_off_days"] or 0,
            proration=asked["proration"],
        )
    return Done(f"Schedule {done.code} is added.", reverse("payroll:schedules", args=[client]))


@action("payroll.prepare")
def put_on(request: PageRequest, client: str) -> Done:
    """Pay somebody on a schedule from a day on."""
    asked = filled_in(_with_schedules(PutOn(request.POST)))
    person = person_said(asked["payroll_number"])
    with keyed(request.key):
        found.put_on_schedule(person.counterparty_id, asked["schedule"], starts=asked["starts"])
    what = f"{person.payroll_number} is paid on {asked['schedule']} from {asked['starts']}."
    return Done(what, reverse("payroll:schedules", args=[client]))


def person_said(payroll_number: str) -> Person:
    """Whom a form names; nobody is said beside its field."""
    person = person_numbered(payroll_number.strip())
    if person is None:
        problem = f"there is nobody with payroll number {payroll_number!r}"
        raise InputRefused([Problem(problem, "Import the person first", field="payroll_number")])
    return person


# --- items ------------------------------------------------------------------------------------------------


class AddItem(GroupedForm):
    """An amount of an element, once."""

    groups = (
        Group("Who, what and how much", ["payroll_number", "element", "amount", "hours"]),
        Group("When and why", ["period", "run", "reason"]),
    )

    payroll_number = LineField(max_length=20)
    element = forms.CharField(max_length=40, widget=forms.Select)
    hours = HoursField(required=False, help_text="That it pays, as 37.5; the payslip states them.")
    period = DayField(help_text="A day of the pay period that it is for.")
    run = forms.IntegerField(
        required=False, min_value=1, label="Run", help_text="Only for a run of another kind than regular."
    )
    reason = LineField(max_length=LONGEST_REASON)

    def __init__(self, currency: str, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.fields["amount"] = MoneyField(currency, help_text="Below zero it takes back.")
        self.order_fields(["payroll_number", "element", "amount", "hours", "period", "run", "reason"])
        self.fields["element"].widget.choices = _element_choices()


class AddRecurring(GroupedForm):
    """An amount of an element in every period."""

    groups = (
        Group("Who, what and how much", ["payroll_number", "element", "amount"]),
        Group("From when until when, and why", ["starts", "ends", "total", "reason"]),
    )

    payroll_number = LineField(max_length=20)
    element = forms.CharField(max_length=40, widget=forms.Select)
    starts = DayField(label="From")
    ends = DayField(label="Until", required=False)
    reason = LineField(max_length=LONGEST_REASON, required=False)

    def __init__(self, currency: str, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.fields["amount"] = MoneyField(currency, help_text="A pay period.")
        self.fields["total"] = MoneyField(
            currency, required=False, label="Up to a total", help_text="The last period pays what is left."
        )
        self.order_fields(["payroll_number", "element", "amount", "starts", "ends", "total", "reason"])
        self.fields["element"].widget.choices = _element_choices()


class Withdraw(forms.Form):
    reason = LineField(max_length=LONGEST_REASON)


class EndRecurring(forms.Form):
    ends = DayField(label="Last day")


def _element_choices() -> list[tuple[str, str]]:
    return [(e.code, e.label) for e in items.pay_elements(timezone.now().date())]


@page("payroll.read", reads="pay_item")
def pay_items(request: PageRequest, client: str) -> HttpResponse:
    """What waits for a run, and what is paid every period."""
    assert request.client is not None
    today, currency = timezone.now().date(), request.client.currency
    labels = {e.code: e.label for e in jurisdiction(items.country()).elements}
    waiting, recurring = items.items_waiting(), items.recurring_pay(today)
    request.reading(None, rows=len(waiting) + len(recurring))
    may = request.may("payroll.prepare")
    context = {
        "currency": currency,
        "hides_pay": "pay" in request.masked,
        "items": [(row, labels.get(row.element, row.element)) for row in waiting],
        "recurring": [(one, labels.get(one.row.element, one.row.element)) for one in recurring],
        "may": may,
        "item_form": form_of(request, AddItem(currency, initial={"period": today})) if may else None,
        "recurring_form": form_of(request, AddRecurring(currency, initial={"starts": today}))
        if may
        else None,
        "withdraw_form": Withdraw(),
        "end_form": EndRecurring(initial={"ends": today}),
    }
    return render(request, "payroll/items.html", context)


@action("payroll.prepare")
def add_item(request: PageRequest, client: str) -> Done:
    """Add an item for a period, or for a run of another kind."""
    assert request.client is not None
    asked = filled_in(AddItem(request.client.currency, request.POST))
    person = person_said(asked["payroll_number"])
    run_id = selectors.named_run(asked["run"]).id if asked["run"] else None
    with keyed(request.key):
        items.add_pay_item(
            person.counterparty_id,
            asked["element"],
            asked["amount"],
            period=asked["period"],
            reason=asked["reason"],
            run_id=run_id,
            source="page",
            minutes=asked["hours"] or 0,
        )
    return Done(f"The item of {person.payroll_number} waits for its run.", _items(client))


def _items(client: str) -> str:
    return reverse("payroll:items", args=[client])


@action("payroll.prepare")
def withdraw_item(request: PageRequest, client: str, item_id: UUID) -> Done:
    """Have an item not paid after all."""
    asked = filled_in(Withdraw(request.POST))
    with keyed(request.key):
        items.withdraw_pay_item(item_id, reason=asked["reason"])
    return Done("The item is withdrawn.", _items(client))


@action("payroll.prepare")
def add_recurring(request: PageRequest, client: str) -> Done:
    """Add pay of every period."""
    assert request.client is not None
    asked = filled_in(AddRecurring(request.client.currency, request.POST))
    person = person_said(asked["payroll_number"])
    with keyed(request.key):
        items.add_recurring_pay(
            person.counterparty_id,
            asked["element"],
            asked["amount"],
            starts=asked["starts"],
            ends=asked["ends"],
            total=asked["total"] or None,
            reason=asked["reason"],
        )
    return Done(f"Recurring pay of {person.payroll_number} is added.", _items(client))


@action("payroll.prepare")
def end_recurring(request: PageRequest, client: str, recurring_id: UUID) -> Done:
    """The last day on which it is paid."""
    asked = filled_in(EndRecurring(request.POST))
    with keyed(request.key):
        done = items.end_recurring_pay(recurring_id, ends=asked["ends"])
    return Done(f"The recurring pay ends on {done.ends}.", _items(client))
