"""The living guide at /style: every component in every state, drawn by the templates that pages use.

The names and figures below are this guide's own illustrations. They stand in no database.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from engineroom.ui import charts
from engineroom.ui.fields import DayField
from engineroom.ui.parts import (
    STATUS_KINDS,
    Change,
    Edge,
    Event,
    NavigationItem,
    Node,
    Tab,
    Thread,
    TraceStep,
)


class _Person(NamedTuple):
    name: str
    email: str
    kind: str


class _Client(NamedTuple):
    code: str
    name: str
    url: str = "#"


class _Pay(NamedTuple):
    number: str
    name: str
    minutes: int
    gross_minor: int
    net_minor: int
    status_kind: str
    status: str
    weeks: tuple[int, ...]


COLOURS = (
    "paper",
    "panel",
    "sunk",
    "tint",
    "line",
    "rule",
    "ink",
    "muted",
    "accent",
    "brass",
    "good",
    "alarm",
)
TYPE_SCALE = (
    ("t5", "The one figure of a page"),
    ("t4", "Page heading"),
    ("t3", "A figure in a node, a dialog's title"),
    ("t2", "Text and tables"),
    ("t1", "Labels, notes, buttons"),
    ("t0", "Table heads, keys, chips"),
)
SPACES = ("s1", "s2", "s3", "s4", "s5", "s6")
STATUS_WORDS = ("Approved", "Calculating", "Second person", "At risk", "Open", "Held", "Void")

SECTIONS = (
    ("tokens", "Tokens"),
    ("elements", "Elements"),
    ("figures", "Figures"),
    ("boxes", "Boxes"),
    ("tables", "Tables"),
    ("answers", "Answers"),
    ("picture", "Thread"),
    ("charts", "Charts"),
    ("forms", "Forms"),
    ("states", "States"),
    ("keyboard", "Keyboard"),
)

PAYSLIPS = (
    _Pay("NG-0041", "Asha Rao", 2250, 54375, 44344, "done", "Approved", (410, 430, 428, 433, 441, 443)),
    _Pay(
        "NG-0042", "Łukasz Brzęczyszczykiewicz", 2240, 48160, 39612, "wait", "Second person", (380, 390, 396)
    ),
    _Pay("NG-0043", "Mary-Ann O’Neill", 0, -4210, -4210, "risk", "Owes net pay", (90, 60, 20, -42)),
    _Pay("NG-0044", "Sam Okafor", 480, 11600, 10982, "held", "Held: bank details changed", (109, 109, 110)),
    _Pay("NG-0045", "王 Xiùyīng", 2400, 62000, 49871, "run", "Calculating", (470, 480, 498, 499)),
)

STEPS = (
    charts.Bar("Employer’s cost", 61882, "total"),
    charts.Bar("Employer’s NIC", 5507, "down"),
    charts.Bar("Employer’s pension", 2000, "down"),
    charts.Bar("Gross pay", 54375, "total"),
    charts.Bar("Income tax", 6020, "down"),
    charts.Bar("NIC", 2406, "down"),
    charts.Bar("Pension", 1511, "down"),
    charts.Bar("Expenses", 1000, "up"),
    charts.Bar("Net pay", 45438, "total"),
)
VARIANCES = (
    charts.Item("Warehouse nights", 1842000, 210000),
    charts.Item("Care, days", 1266412, -84210),
    charts.Item("Drivers", 410000, 0),
)
BUCKETS = ("Not due", "1-30", "31-60", "61-90", "Over 90")
AGED = (
    charts.Aged("Brindle Care", (312345, 120000, 0, 0, 0)),
    charts.Aged("Cole Joinery", (64000, 0, 88000, 12000, 40250)),
    charts.Aged("Harrow Dental", (0, 43105, 0, 0, 0)),
)
CONTROL = tuple(
    charts.Point(f"Week {week}", value, 9000, 15000)
    for week, value in enumerate(
        (11800, 12400, 10900, 13100, 12200, 16900, 12700, 11300, 13600, 12100), start=9
    )
)
RUNWAY = tuple(
    charts.Point(label, value)
    for label, value in (
        ("8 May", 4210000), ("15 May", 2890000), ("22 May", 1210000), ("29 May", -310000), ("5 Jun", 1820000),
    )
)  # fmt: skip
DAYS = tuple(
    charts.Item(str(day), due)
    for day, due in zip(range(7, 21), (11, 7, 0, 0, 5, 3, 2, 9, 6, 0, 0, 3, 12, 4), strict=True)
)

TRACE = (
    TraceStep("Pay liable to tax this week", "£543.75", "sum of 3 elements", "inputs 7c1e"),
    TraceStep("Pay to date, weeks 1 to 5", "£2,610.40", "cumulative basis", "2026-27.1", "ITEPA 2003"),
    TraceStep("Free pay to date, code 1257L", "-£1,209.60", "gb.paye.free_pay", "2026-27.1", "HMRC tables A"),
    TraceStep("Taxable pay to date, rounded down", "£1,400.00", "floor_to_pound", "2026-27.1"),
    TraceStep("Tax due to date at 20%", "£280.00", "gb.paye.tax_due", "2026-27.1"),
    TraceStep("Tax paid in weeks 1 to 4", "-£219.80", "payslip NG-004098", url="#answers"),
    TraceStep("Tax this week", "£60.20", result=True),
)
EVENTS = (
    Event(datetime(2026, 5, 6, 14, 2, tzinfo=UTC), "Run calculated", "Priya Shah", "58 people, 2 warnings"),
    Event(datetime(2026, 5, 6, 15, 10, tzinfo=UTC), "Approval void", "", "A pay rate changed", kind="void"),
    Event(datetime(2026, 5, 6, 16, 32, tzinfo=UTC), "Approved", "Omar Haddad", url="#answers"),
    Event(datetime(2026, 5, 7, 9, 0, tzinfo=UTC), "Payment file written", "Tom Harbour", kind="run"),
    Event(date(2026, 5, 8), "Bacs processing day", kind="wait"),
    Event(date(2026, 5, 8), "One payment returned", note="account closed, £312.40 open again", kind="risk"),
    Event(None, "Statement expected", kind="open"),
)
CHANGES = (
    Change("Pay rate", "£14.50 an hour", "£14.95 an hour"),
    Change("Tax code", "1257L", "1257L"),
    Change("Bank account", "", "12-34-56, ends 4411"),
    Change("Middle name", "Jo", ""),
)
THREAD = Thread(
    lanes=("Worked", "Became", "On a document", "Settled", "In the books"),
    nodes=(
        Node("t", "Worked", "Time entry, 28 Apr 22:00 to 06:30", "8.00 h", "30 min break", "Brindle Care",
             "29 Apr", "night rule, 22:00 to 06:00", "done", "Approved by customer", "#picture", here=True),
        Node("p", "Became", "Payable charge", "£116.00", "8.00 × £14.50", "", "", "rate card v3 from 6 April",
             "done", "On payslip", "#picture"),
        Node("b", "Became", "Billable charge", "£161.20", "8.00 × £20.15", "", "", "markup 38.97%",
             "done", "Invoiced", "#picture"),
        Node("s", "On a document", "Payslip NG-004117, week 5", "£116.00 of £542.80", "", "Priya Shah",
             "6 May", "GB 2026-27.1", "done", "Issued", "#picture"),
        Node("i", "On a document", "Invoice NG-2026-0391", "£161.20 of £6,448.00", "VAT 20%, PO 88213",
             "Bea Lund", "7 May", "", "run", "Part paid", "#picture"),
        Node("m", "On a document", "Supplier bill at Brindle Care", "£6,448.00", "", "", "", "",
             "wait", "Mirror pending", client="Brindle Care"),
        Node("o", "Settled", "Bacs 0147, processing 8 May", "£443.43 net", "statement 88, line 14",
             "Omar Haddad", "8 May", "", "done", "Cleared", "#picture"),
        Node("r", "Settled", "Receipt, statement 91, line 3", "£4,000.00", "£2,448.00 open", "", "9 May",
             "rule 2, amount and order", "wait", "Suggested", "#picture"),
        Node("l", "In the books", "Entry 1,204: wages and on-costs", "£31,084.12", "11 postings", "", "8 May",
             "seal 1,204", "done", "Balanced", "#picture"),
    ),
    edges=(Edge("t", "p"), Edge("t", "b"), Edge("p", "s"), Edge("b", "i"), Edge("i", "m", pending=True),
           Edge("s", "o"), Edge("i", "r"), Edge("o", "l"), Edge("r", "l")),
)  # fmt: skip


class _PersonForm(forms.Form):
    """A field of each sort, so that each can be seen."""

    name = forms.CharField(label="Full name")
    rate = forms.CharField(label="Pay rate", help_text="Pounds an hour, such as 14.50.", initial="14.50")
    starts = DayField(label="First day")
    basis = forms.ChoiceField(label="Paid", choices=[("week", "Every week"), ("month", "Every month")])
    pension = forms.ChoiceField(
        label="Pension",
        choices=[("in", "Enrolled"), ("out", "Opted out")],
        widget=forms.RadioSelect,
        help_text="An opt-out needs the signed notice.",
    )
    notice = forms.FileField(label="Opt-out notice", required=False, help_text="PDF, up to 10 MB.")
    note = forms.CharField(label="Note", widget=forms.Textarea, required=False)
    director = forms.BooleanField(label="Is a director", required=False, help_text="NIC on the year's basis.")


def _wrong_form() -> _PersonForm:
    data = {"name": "Asha Rao", "rate": "14.50", "starts": "", "basis": "week", "pension": ""}
    form = _PersonForm(data, auto_id="wrong_%s", prefix="wrong")
    form.data = {f"wrong-{name}": value for name, value in data.items()}
    form.is_valid()
    return form


def _navigation() -> list[NavigationItem]:
    return [
        NavigationItem("Today", "#top", key="g t", current=True),
        NavigationItem("Clients", "#elements", 214, key="g c"),
        NavigationItem("Runs", "#tables", 9),
        NavigationItem("Payments", "#answers", 3),
        NavigationItem("Bank", "#charts", 41),
        NavigationItem("People", "#forms", group="Northgate Temps Ltd"),
        NavigationItem("The firm", "#states", group="The house"),
    ]


def _charts() -> dict[str, Any]:
    return {
        "waterfall": charts.waterfall_chart(STEPS, title="From cost to net pay"),
        "bars": charts.bars_chart(VARIANCES, title="Gross by department", versus="last week"),
        "ageing": charts.ageing_chart(BUCKETS, AGED, title="Owed to us, by age"),
        "control": charts.line_chart(CONTROL, None, title="Minutes from time sheet to payslip"),
        "runway": charts.line_chart(RUNWAY, title="Cash runway", floor_at_zero=True),
        "strip": charts.strip_chart(DAYS, title="Next two weeks"),
    }


def _procedure() -> str:
    """Steps in each state, as sop.diagram draws them; ui knows no procedures."""
    words = [("", "To come"), ("done", "Done"), ("now", "Being worked on"), ("waiting", "Waiting")]
    words += [("skipped", "Skipped"), ("late", "Late")]
    steps = "".join(
        f'<g class="node task {state}"><rect x="{12 + 152 * n}" y="14" width="124" height="44" rx="8"/>'
        f'<text x="{74 + 152 * n}" y="40" text-anchor="middle">{word}</text></g>'
        + (f'<path class="flow" d="M{136 + 152 * n} 36h28"/>' if n < len(words) - 1 else "")
        for n, (state, word) in enumerate(words)
    )
    names = ", ".join(word for _, word in words)
    return (
        f'<svg class="flow-chart" role="img" width="{152 * len(words)}" height="72" aria-label="{names}">'
        f"{steps}</svg>"
    )


def style_guide(request: HttpRequest) -> HttpResponse:
    """Every component in every state."""
    context = {
        "navigation": _navigation(),
        "client": _Client("NORTHGATE", "Northgate Temps Ltd"),
        "clients": [_Client("NORTHGATE", "Northgate Temps Ltd"), _Client("BRINDLE", "Brindle Care")],
        "all_clients_url": "#tables",
        "me": _Person("Priya Shah", "priya@harbour.example", "specialist"),
        "account_links": [("Signed-in devices", "#forms")],
        "search_url": request.path,
        "search_text": request.GET.get("q", ""),
        "home_url": request.path,
        "keys": [("g s", "States", "#states")],
        "sections": [Tab(label, f"#{name}", name == "tokens") for name, label in SECTIONS],
        "colours": COLOURS,
        "type_scale": TYPE_SCALE,
        "spaces": SPACES,
        "statuses": list(zip(STATUS_KINDS, STATUS_WORDS, strict=True)),
        "payslips": PAYSLIPS,
        "total_net": sum(p.net_minor for p in PAYSLIPS),
        "trace_steps": TRACE,
        "events": EVENTS,
        "changes": CHANGES,
        "the_thread": THREAD,
        "procedure": _procedure(),
        "form": _PersonForm(),
        "wrong": _wrong_form(),
        "pay_day": date(2026, 5, 8),
        "first_day": date(2026, 4, 27),
        "last_day": date(2026, 5, 3),
        "cut_off": datetime(2026, 5, 7, 17, 0, tzinfo=UTC),
        **_charts(),
    }
    return render(request, "ui/style.html", context)
