"""The report of one run: a single HTML file that says what was paid, billed, kept, sent and booked, and
whether it all agrees. It opens anywhere, years later: its style is inside it, and it asks no server for
anything.

`RunReport` holds the figures; `render_report` only lays them out. Totals under a table are the sums of its
rows, so a report cannot agree with itself by accident. Red is kept for money at risk: held work, a loss, a
check that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from django.template import Context, Engine, Template
from django.utils.safestring import mark_safe

from engineroom.kernel.money import format_minor
from engineroom.kernel.rates import format_ppm
from engineroom.ui.charts import Bar, waterfall
from engineroom.ui.display import Figure, format_hours, format_moment, format_weekday, printable

_HERE = Path(__file__).resolve().parent


class Signature(NamedTuple):
    """Who did what and when: act is "Prepared", "Approved", "Released"."""

    act: str
    by: str
    at: datetime | None = None


class PersonRow(NamedTuple):
    """One person's pay. status is a word ("Paid", "Held"); attention marks the row for a second look."""

    payroll_number: str
    name: str
    minutes: int | None
    gross_minor: int
    tax_minor: int
    nic_minor: int
    loans_minor: int
    pension_minor: int
    net_minor: int
    status: str = ""
    note: str = ""
    attention: bool = False


class CustomerMargin(NamedTuple):
    """What one customer brought. margin_ppm is of the billed net, None where nothing was billed."""

    customer: str
    minutes: int
    billed_minor: int
    held_minor: int
    pay_cost_minor: int
    on_costs_minor: int
    margin_minor: int
    margin_ppm: int | None


class HeldRow(NamedTuple):
    """Work that is paid but may not be billed yet, and why."""

    customer: str
    person: str
    day: date
    minutes: int
    amount_minor: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFile:
    """The facts of a file that moves money. unverified_fields: those no specification at hand confirms."""

    name: str
    credits: int
    total_minor: int
    submit_by: datetime
    processing_day: date
    entry_day: date
    sha256: str
    unverified_fields: Sequence[str] = ()


class LedgerRow(NamedTuple):
    """One account of the trial balance; amounts as booked, debit and credit both zero or above."""

    code: str
    account: str
    debit_minor: int
    credit_minor: int


class OpenItemRow(NamedTuple):
    """Something owed or held that the run leaves open."""

    kind: str
    counterparty: str
    reference: str
    due: date | None
    amount_minor: int


class ExceptionRow(NamedTuple):
    """What a person must look at, and what to do. `stop` blocks the run, `look` does not."""

    severity: Literal["stop", "look"]
    where: str
    what: str
    remedy: str


class Check(NamedTuple):
    """Something that must hold, and whether it does: "control account = sub-ledger"."""

    label: str
    ok: bool
    detail: str = ""


class FileRow(NamedTuple):
    """A file that belongs to the run."""

    name: str
    size_bytes: int
    sha256: str
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """Everything the report shows. A section whose rows are empty does not appear.

    ledger_as_at: the day whose balances the ledger's are; None, where they are of when it was made, as held
    work, open items, exceptions and checks are.
    """

    firm: str
    client: str
    run_number: str
    pay_date: date
    made_at: datetime
    signatures: Sequence[Signature] = ()
    totals: Sequence[Figure] = ()
    steps: Sequence[Bar] = ()
    people: Sequence[PersonRow] = ()
    margins: Sequence[CustomerMargin] = ()
    held: Sequence[HeldRow] = ()
    payment_files: Sequence[PaymentFile] = ()
    ledger: Sequence[LedgerRow] = ()
    ledger_as_at: date | None = None
    open_items: Sequence[OpenItemRow] = ()
    exceptions: Sequence[ExceptionRow] = ()
    checks: Sequence[Check] = ()
    files: Sequence[FileRow] = ()
    notes: Sequence[str] = ()
    currency: str = "GBP"


def render_report(report: RunReport) -> str:
    """The whole report as one HTML text, in UTF-8, with no reference to anything outside it."""
    return _template().render(Context(_page(report), use_l10n=False, use_tz=False))


@cache
def _template() -> Template:
    return Engine(dirs=[str(_HERE)], autoescape=True).get_template("report.html")


@cache
def _style() -> str:
    return "".join(
        (_HERE / name).read_text(encoding="utf-8") for name in ("static/ui/tokens.css", "report.css")
    )


# --- What the template lays out: text, already formatted ------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cell:
    """One cell. `label` repeats its heading where the table is read as cards, on a narrow screen."""

    text: str
    label: str = ""
    css: str = ""
    sub: str = ""


@dataclass(frozen=True, slots=True)
class _Column:
    """heading, how the cell of a row is made, and the sum under it when there is one."""

    heading: str
    cell: Callable[[Any], str]
    css: str = ""
    total: str = ""
    risk: Callable[[Any], bool] = field(default=lambda row: False)
    sub: Callable[[Any], str] = field(default=lambda row: "")

    def of(self, row: Any) -> _Cell:
        css = f"{self.css} risk" if self.risk(row) else self.css
        return _Cell(printable(self.cell(row)), self.heading, css.strip(), printable(self.sub(row)))


@dataclass(frozen=True, slots=True)
class _Table:
    slug: str
    title: str
    caption: str
    columns: Sequence[_Column]
    rows: Sequence[Sequence[_Cell]]
    foot: Sequence[_Cell] = ()
    risk: bool = False
    count: str = ""


def _table(slug: str, title: str, columns: Sequence[_Column], rows: Sequence[Any], **options: Any) -> _Table:
    cells = [[column.of(row) for column in columns] for row in rows]
    foot: list[_Cell] = []
    if any(column.total for column in columns):
        foot = [_Cell(column.total, column.heading, column.css) for column in columns]
        foot[0] = _Cell("Total", "", columns[0].css)
    options.setdefault("count", f"{len(rows):,}")
    return _Table(slug, title, options.pop("caption", ""), columns, cells, foot, **options)


class _Money:
    """Columns of money in one currency; a zero is a dash, so the eye stops only where there is something."""

    def __init__(self, currency: str) -> None:
        self.currency = currency

    def text(self, minor: int) -> str:
        return format_minor(minor, self.currency)

    def column(self, heading: str, field_name: str, rows: Iterable[Any], **options: Any) -> _Column:
        def value(row: Any) -> int:
            return int(getattr(row, field_name))

        def cell(row: Any) -> str:
            return self.text(value(row)) if value(row) else "–"

        css = " ".join(filter(None, ("num", options.pop("css", ""))))
        return _Column(heading, cell, css, self.text(sum(value(row) for row in rows)), **options)


def _words(heading: str, field_name: str, css: str = "", **options: Any) -> _Column:
    return _Column(heading, lambda row: str(getattr(row, field_name)), css, **options)


def _hours(rows: Sequence[Any]) -> _Column:
    total = sum(row.minutes for row in rows if row.minutes is not None)
    return _Column(
        "Hours",
        lambda row: "–" if row.minutes is None else format_hours(row.minutes),
        "num",
        format_hours(total),
    )


# --- One function for each section ----------------------------------------------------------------


def _people(report: RunReport, money: _Money) -> _Table:
    rows = report.people
    columns = [
        _words("No.", "payroll_number", "code minor"),
        _words("Name", "name", "lead", sub=lambda row: row.note),
        _hours(rows),
        money.column("Gross", "gross_minor", rows),
        money.column("Tax", "tax_minor", rows),
        money.column("NIC", "nic_minor", rows),
        money.column("Loans", "loans_minor", rows),
        money.column("Pension", "pension_minor", rows),
        money.column("Net", "net_minor", rows, css="strong end", risk=lambda row: row.net_minor < 0),
        _Column("Status", lambda row: row.status, "status", risk=lambda row: row.attention),
    ]
    return _table("people", "People", columns, rows, caption=_refunds(rows))


def _refunds(rows: Sequence[PersonRow]) -> str:
    refunds = sum(1 for row in rows if row.tax_minor < 0)
    return f"{refunds} with tax refunded, shown with a minus" if refunds else ""


def _margins(report: RunReport, money: _Money) -> _Table:
    rows = report.margins
    columns = [
        _words("Customer", "customer", "lead"),
        _hours(rows),
        money.column("Billed net", "billed_minor", rows),
        money.column("Held", "held_minor", rows, risk=lambda row: row.held_minor != 0),
        money.column("Pay", "pay_cost_minor", rows),
        money.column("On-costs", "on_costs_minor", rows),
        money.column("Margin", "margin_minor", rows, css="strong end", risk=lambda row: row.margin_minor < 0),
        _Column("Margin %", _margin_percent, "num", risk=lambda row: row.margin_minor < 0),
    ]
    return _table("margin", "Margin by customer", columns, rows, caption="Billed net, less pay and on-costs")


def _margin_percent(row: CustomerMargin) -> str:
    return "–" if row.margin_ppm is None else format_ppm(row.margin_ppm)


def _held(report: RunReport, money: _Money) -> _Table:
    rows = report.held
    columns = [
        _words("Customer", "customer", "lead"),
        _words("Person", "person"),
        _Column("Day", lambda row: format_weekday(row.day), "nowrap"),
        _hours(rows),
        money.column("Amount", "amount_minor", rows, css="strong end", risk=lambda row: True),
        _words("Reason", "reason", "wide"),
    ]
    caption = f"Paid by this run, and not billed until resolved; {_as_of(report)}"
    return _table("held", "Held from billing", columns, rows, caption=caption, risk=True)


def _as_of(report: RunReport) -> str:
    return f"as of {format_moment(report.made_at)}"


def _ledger(report: RunReport, money: _Money) -> _Table:
    rows = report.ledger
    columns = [
        _words("Account", "code", "code minor"),
        _words("Name", "account", "lead"),
        money.column("Debit", "debit_minor", rows),
        money.column("Credit", "credit_minor", rows),
    ]
    off = sum(row.debit_minor - row.credit_minor for row in rows)
    caption = f"Out of balance by {money.text(off)}" if off else "Debits equal credits"
    day = report.ledger_as_at
    caption += f"; as at {format_weekday(day)}" if day else f"; {_as_of(report)}"
    return _table("ledger", "Trial balance", columns, rows, caption=caption, risk=off != 0)


def _open_items(report: RunReport, money: _Money) -> _Table:
    columns = [
        _words("Kind", "kind", "lead"),
        _words("Counterparty", "counterparty"),
        _words("Reference", "reference", "code"),
        _Column("Due", lambda row: format_weekday(row.due) if row.due else "–", "nowrap"),
        # No total: an amount owed and an amount held do not add.
        _Column("Amount", lambda row: money.text(row.amount_minor), "num strong end"),
    ]
    return _table("open", "Open items", columns, report.open_items, caption=_as_of(report).capitalize())


def _exceptions(report: RunReport) -> _Table:
    columns = [
        _Column("State", _severity, "status look", risk=lambda row: row.severity == "stop"),
        _words("Where", "where", "lead"),
        _words("What", "what", "wide"),
        _words("What to do", "remedy", "wide"),
    ]
    stops = sum(1 for row in report.exceptions if row.severity == "stop")
    caption = f"{_stops(stops) or 'None stops the run'}; {_as_of(report)}"
    return _table("exceptions", "Exceptions", columns, report.exceptions, caption=caption, risk=stops > 0)


def _stops(stops: int) -> str:
    return {0: "", 1: "1 exception stops the run"}.get(stops, f"{stops} exceptions stop the run")


def _severity(row: ExceptionRow) -> str:
    return "Stops the run" if row.severity == "stop" else "Look"


def _checks(report: RunReport) -> _Table:
    columns = [
        _Column(
            "State", lambda row: "Holds" if row.ok else "Fails", "status check", risk=lambda row: not row.ok
        ),
        _words("Must hold", "label", "lead"),
        _words("Figures", "detail", "wide"),
    ]
    failed = sum(1 for row in report.checks if not row.ok)
    count = f"{failed} of {len(report.checks)} fail" if failed else f"{len(report.checks)} hold"
    caption = _as_of(report).capitalize()
    return _table("checks", "Checks", columns, report.checks, risk=failed > 0, count=count, caption=caption)


def _files(report: RunReport) -> _Table:
    columns = [
        _words("File", "name", "lead code"),
        _words("For", "purpose"),
        _Column("Bytes", lambda row: f"{row.size_bytes:,}", "num"),
        _words("SHA-256", "sha256", "code hash wide"),
    ]
    return _table("files", "Files", columns, report.files)


def _payment_file(file: PaymentFile, money: _Money) -> dict[str, Any]:
    facts = [
        ("Submit by", format_moment(file.submit_by)),
        ("Processing day", format_weekday(file.processing_day)),
        ("Entry day", format_weekday(file.entry_day)),
        ("Credits", f"{file.credits:,}"),
        ("Total", money.text(file.total_minor)),
    ]
    return {
        "name": printable(file.name),
        "facts": facts,
        "sha256": printable(file.sha256),
        "unverified": [printable(name) for name in file.unverified_fields],
    }


def _page(report: RunReport) -> dict[str, Any]:
    money = _Money(report.currency)
    tables = {
        "exceptions": _exceptions(report),
        "people": _people(report, money),
        "margin": _margins(report, money),
        "held": _held(report, money),
        "ledger": _ledger(report, money),
        "open": _open_items(report, money),
        "checks": _checks(report),
        "files": _files(report),
    }
    shown = {slug: table for slug, table in tables.items() if table.rows}
    return {
        "style": mark_safe(_style()),  # our own two files, never data
        "report": report,
        "firm": printable(report.firm),
        "client": printable(report.client),
        "run_number": printable(report.run_number),
        "pay_date": format_weekday(report.pay_date),
        "made_at": format_moment(report.made_at),
        "signatures": [_signature(signature) for signature in report.signatures],
        "totals": [
            (printable(label), format_minor(a, report.currency, symbol=True)) for label, a in report.totals
        ],
        "verdict": _verdict(report),
        "waterfall": mark_safe(
            waterfall(report.steps, report.currency, title="From the employer's cost to net pay")
        ),
        "steps_shown": bool(report.steps),
        "before": [shown[slug] for slug in ("exceptions", "people", "margin", "held") if slug in shown],
        "payment_files": [_payment_file(file, money) for file in report.payment_files],
        "after": [shown[slug] for slug in ("ledger", "open", "checks", "files") if slug in shown],
        "notes": [printable(note) for note in report.notes],
        "currency": report.currency,
    }


def _signature(signature: Signature) -> tuple[str, str, str]:
    at = format_moment(signature.at) if signature.at else ""
    return printable(signature.act), printable(signature.by), at


def _verdict(report: RunReport) -> dict[str, Any]:
    """The report in one line: whether everything that must hold does."""
    failed = sum(1 for check in report.checks if not check.ok)
    stops = sum(1 for row in report.exceptions if row.severity == "stop")
    parts = [f"Checks failing: {failed} of {len(report.checks)}"] if failed else []
    parts += [_stops(stops)] if stops else []
    if parts:
        return {"risk": True, "text": "; ".join(parts)}
    return {"risk": False, "text": f"All {len(report.checks)} checks hold" if report.checks else ""}
