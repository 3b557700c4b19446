"""The sample firm's input files: one weekly payday of Northgate Staffing Ltd, as a bureau would get them.

    sample = write_sample(folder)
    for kind, path in sample.imports():   # in the order in which they can be taken in
        ...

Pay date Friday 27 November 2026 (tax week 34 of 2026-27) for the hours of 16 to 22 November. Nothing was paid
through this system before: the file of tax details brings pay and tax to date. The hours of the week after
come in a file of their own, for a run that waits to be checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random

from engineroom.demo import week
from engineroom.demo.bank import OwnAccountFacts
from engineroom.demo.cast import (
    CLIENT_CONTACTS,
    CUSTOMERS,
    LEAVER,
    RETURNED,
    STARTER,
    TEMP_BY_NUMBER,
    TEMPS,
    TRACED,
    Customer,
    Temp,
)
from engineroom.demo.files import HABITS, MINUTES_AN_HOUR, Cell, british_date, iso_date, write_csv, write_xlsx
from engineroom.kernel.money import format_minor

HARBOUR = "HARBOUR"
"""The customer that sends its own workbook."""

DISPUTE = "Ward manager says Thursday was a half day, asked for the signed sheet 20/11"


@dataclass(frozen=True)
class ClientFacts:
    """A client to be opened: its code, name, and what its documents print."""

    code: str
    name: str
    details: dict[str, str]


NORTHGATE = ClientFacts(
    "NORTHGATE",
    "Northgate Staffing Ltd",
    {
        "address": "3 Northgate, Carlisle CA1 1OC",
        "vat_number": "GB 000 3186 54",
        "paye_reference": "123/NG456",
        "sort_code": "00-17-42",
        "account_number": "55210936",
    },
)
SOUTHQUAY = ClientFacts(
    "SOUTHQUAY",
    "Southquay Logistics Ltd",
    {
        "address": "Shed 9, South Quay, Whitehaven CA28 7KV",
        "vat_number": "GB 000 9277 13",
        "paye_reference": "123/SQ789",
    },
)


NORTHGATE_ACCOUNT = OwnAccountFacts(
    iban="GB26ZZZZ00174255210936",
    sort_code="001742",
    account_number="55210936",
    name="NORTHGATE STAFFING",
    service_user_number="900347",
)


@dataclass(frozen=True)
class Story:
    """What the sample shows, by number and code."""

    traced_payroll_number: str
    traced_assignment: str
    traced_day: date
    """A day with basic hours and overtime, billed in full: the hour worth following from work to cash."""
    disputed_assignment: str
    over_order_customer: str
    over_order_number: str
    starter: str
    leaver: str
    two_customers: tuple[str, ...]
    returned: str
    """Whose payment the bank sends back: the account is closed."""


@dataclass(frozen=True)
class Sample:
    """The files written, and what is in them."""

    folder: Path
    customers: Path
    orders: Path
    people: Path
    assignments: Path
    tax_details: Path
    timesheets: tuple[Path, ...]
    next_timesheets: Path
    """Of the week after, which the demonstration leaves for somebody to check."""
    pay_date: date
    week_starts: date
    week_ends: date
    client: ClientFacts
    own_account: OwnAccountFacts
    story: Story

    def imports(self) -> list[tuple[str, Path]]:
        """(kind of importer, file), in the order in which each finds what it needs."""
        return [
            ("customers", self.customers),
            ("orders", self.orders),
            ("people", self.people),
            ("tax-details", self.tax_details),
            ("assignments", self.assignments),
            *(("timesheets", path) for path in self.timesheets),
        ]


def write_sample(folder: Path) -> Sample:
    """Write the sample's input files into a folder, made if need be. The same bytes every time."""
    folder.mkdir(parents=True, exist_ok=True)
    return Sample(
        folder=folder,
        customers=_write_customers(folder / "customers.csv"),
        orders=_write_orders(folder / "orders.csv"),
        people=_write_people(folder / "people.xlsx"),
        assignments=_write_assignments(folder / "assignments.csv"),
        tax_details=_write_tax_details(folder / "tax_details.csv"),
        timesheets=(
            _write_timesheets(folder / "timesheets-week-47.csv"),
            _write_harbour(folder / "timesheets-week-47-harbour.xlsx"),
        ),
        next_timesheets=_write_next_week(folder / "timesheets-week-48.csv"),
        pay_date=week.PAY_DATE,
        week_starts=week.WEEK_STARTS,
        week_ends=week.WEEK_ENDS,
        client=NORTHGATE,
        own_account=NORTHGATE_ACCOUNT,
        story=the_story(),
    )


def the_story() -> Story:
    over = next(c for c in CUSTOMERS if c.code == week.OVER_ORDER_CUSTOMER)
    assert over.order is not None
    return Story(
        traced_payroll_number=TRACED,
        traced_assignment=week.assignment_of(TRACED),
        traced_day=week.FRIDAY,
        disputed_assignment=week.assignment_of(week.DISPUTED_TEMP),
        over_order_customer=over.code,
        over_order_number=over.order.number,
        starter=STARTER,
        leaver=LEAVER,
        two_customers=tuple(t.payroll_number for t in TEMPS if t.also),
        returned=RETURNED,
    )


# customers and orders --------------------------------------------------------------------------------


def _write_customers(path: Path) -> Path:
    headings = ("Code", "Name", "Address", "VAT number", "Payment days", "E-mail")
    rows = [
        (c.code, f"{c.name} " if n % 3 == 1 else c.name, c.address, c.vat_number, c.payment_days, c.email)
        for n, c in enumerate(CUSTOMERS)
    ]
    return write_csv(path, headings, rows, mark=True)


def _write_orders(path: Path) -> Path:
    headings = ("customer", "order_number", "from_date", "until_date", "limit_amount", "limit_hours")
    return write_csv(path, headings, [_order_row(c) for c in CUSTOMERS if c.order])


def _order_row(customer: Customer) -> tuple[object, ...]:
    order = customer.order
    assert order is not None
    limit_hours = week.order_limit_hours(customer.code) if customer.code == week.OVER_ORDER_CUSTOMER else ""
    until = british_date(order.until_date) if order.until_date else ""
    return customer.code, order.number, british_date(order.from_date), until, order.limit_amount, limit_hours


# people ----------------------------------------------------------------------------------------------


def _write_people(path: Path) -> Path:
    headings = (
        "Payroll number", "Name", "Date of birth", "Email", "NI number", "Start date", "Leave date",
        "Account name", "Sort code", "Account number",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [_person_row(n, temp) for n, temp in enumerate(TEMPS)]
    rows.insert(40, ())  # two lists pasted below each other
    return write_xlsx(path, "Temps", headings, rows)


def _person_row(n: int, temp: Temp) -> tuple[Cell, ...]:
    draw = Random(f"{week.SEED} person {temp.payroll_number}")
    sort_code = f"00{draw.randrange(10_000):04d}"
    account_number = f"{draw.randrange(1_000_000, 100_000_000):08d}"
    ni_number = f"QQ{draw.randrange(1_000_000):06d}{draw.choice('ABCD')}"
    return (
        temp.payroll_number,
        f"{temp.name} " if n % 11 == 4 else temp.name,
        temp.born,
        "" if n % 9 == 5 else _email(temp),
        _spaced(ni_number) if n % 4 == 0 else ni_number,
        temp.starts,
        temp.leaves,
        temp.name.upper() if n % 6 == 2 else "",
        (_dashed(sort_code), sort_code, _dashed(sort_code).replace("-", " "))[n % 3],
        int(account_number) if n % 5 == 1 and account_number[0] != "0" else account_number,
    )


def _email(temp: Temp) -> str:
    """Of the payroll number, not the name: what people call themselves in an address is theirs to choose."""
    return f"{temp.payroll_number.lower()}@mail.example"


def _spaced(ni_number: str) -> str:
    return " ".join((ni_number[:2], ni_number[2:4], ni_number[4:6], ni_number[6:8], ni_number[8:]))


def _dashed(sort_code: str) -> str:
    return f"{sort_code[:2]}-{sort_code[2:4]}-{sort_code[4:]}"


# assignments and tax details -------------------------------------------------------------------------


def _write_assignments(path: Path) -> Path:
    headings = (
        "assignment", "payroll_number", "customer", "order_number", "role", "start_date", "end_date",
        "pay_rate", "bill_rate", "overtime", "weekend", "weekly_hours",
    )  # fmt: skip
    return write_csv(path, headings, [_assignment_row(p) for p in week.placements()], mark=True)


def _assignment_row(placement: week.Placement) -> tuple[object, ...]:
    customer = placement.customer
    with_sign = customer.code == HARBOUR
    return (
        placement.assignment,
        placement.temp.payroll_number,
        customer.code,
        placement.order_number,
        placement.role,
        british_date(placement.starts),
        british_date(placement.ends) if placement.ends else "",
        format_minor(placement.pay_rate, symbol=with_sign),
        format_minor(placement.bill_rate, symbol=with_sign),
        customer.overtime,
        customer.weekend,
        f"{customer.weekly_minutes / MINUTES_AN_HOUR:g}",
    )


def _write_tax_details(path: Path) -> Path:
    headings = (
        "payroll_number", "from_date", "tax_code", "basis", "ni_category", "student_loan_plan",
        "postgraduate_loan", "pension_relief", "pension_employee", "pension_employer",
        "previous_pay", "previous_tax",
    )  # fmt: skip
    to_date = week.figures_to_date()
    return write_csv(path, headings, [_tax_row(temp, to_date.get(temp.payroll_number)) for temp in TEMPS])


def _tax_row(temp: Temp, before: week.ToDate | None) -> tuple[object, ...]:
    return (
        temp.payroll_number,
        iso_date(temp.taxed_from),
        temp.tax_code,
        "week1" if temp.week1 else "cumulative",
        temp.ni_category,
        temp.loan,
        "yes" if temp.postgraduate else "no",
        temp.pension,
        "5%" if temp.pension else "",
        "3%" if temp.pension else "",
        format_minor(before.pay, grouped=False) if before else "",
        format_minor(before.tax, grouped=False) if before else "",
    )


# timesheets ------------------------------------------------------------------------------------------


def _write_timesheets(path: Path) -> Path:
    """Everybody's hours but one customer's, branch by branch, each in the habit of who typed them."""
    headings = ("Assignment ", "Payroll Number", "Date", "Hours", "Status", "Comment")
    worked = [w for w in week.hours_worked() if w.placement.customer.code != HARBOUR]
    rows: list[tuple[object, ...]] = []
    for customer in CUSTOMERS:
        branch = [_hours_row(w) for w in worked if w.placement.customer is customer]
        blank: tuple[object, ...] = ("",) * len(headings) if len(branch) % 2 else ()
        rows += [*branch, blank] if branch else []
    return write_csv(path, headings, rows, mark=True)


def _write_next_week(path: Path) -> Path:
    """One plain file, as a portal exports it."""
    headings = ("assignment", "payroll_number", "date", "hours", "status", "comment")
    rows = [
        (
            w.placement.assignment,
            w.placement.temp.payroll_number,
            iso_date(w.day),
            f"{w.minutes // MINUTES_AN_HOUR}:{w.minutes % MINUTES_AN_HOUR:02d}",
            "approved",
            "",
        )
        for w in week.hours_of_the_next_week()
    ]
    return write_csv(path, headings, rows)


def _hours_row(worked: week.Worked) -> tuple[object, ...]:
    habit = HABITS[worked.placement.customer.code]
    is_disputed = worked.placement.temp.payroll_number == week.DISPUTED_TEMP
    return (
        f"{worked.placement.assignment}{habit.padding}",
        worked.placement.temp.payroll_number,
        habit.day(worked.day),
        f"{habit.hours(worked.minutes)}{habit.padding}",
        "disputed" if is_disputed else habit.approved,
        _comment(worked, is_disputed),
    )


def _comment(worked: week.Worked, is_disputed: bool) -> str:
    if not worked.minutes:
        return "sick, self-certified"
    if is_disputed and worked.day == week.WEEK_STARTS + timedelta(days=3):
        return DISPUTE
    return ""


def _write_harbour(path: Path) -> Path:
    """One customer's own workbook: its columns in its order, weekdays as clock times, weekends as numbers."""
    headings = ("Date", "Person", "Assignment", "Hours", "Comment")
    worked = [w for w in week.hours_worked() if w.placement.customer.code == HARBOUR]
    by_day = sorted(worked, key=lambda w: (w.day, w.placement.assignment))
    rows: list[tuple[Cell, ...]] = [_harbour_row(w) for w in by_day]
    return write_xlsx(path, "Week 47", headings, [(), *rows])


def _harbour_row(worked: week.Worked) -> tuple[Cell, ...]:
    quarters = worked.minutes % 15 == 0
    by_number = worked.day.weekday() >= 5 or (quarters and worked.day.weekday() == 4)
    hours: Cell = worked.minutes / MINUTES_AN_HOUR if by_number else timedelta(minutes=worked.minutes)
    temp = worked.placement.temp
    comment = _comment(worked, is_disputed=False)
    return worked.day, temp.payroll_number, worked.placement.assignment, hours, comment


# the firm --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StaffMember:
    """Somebody who signs in: roles by client code. HOUSE is the firm's own client.

    kind: staff of the bureau, a client's contact, or an employee, who is the temp of that payroll number.
    """

    email: str
    name: str
    roles: dict[str, str]
    kind: str = "staff"
    payroll_number: str = ""


@dataclass(frozen=True)
class Firm:
    """The bureau that serves the sample's clients, and whom of theirs it lets in."""

    name: str
    staff: tuple[StaffMember, ...]
    clients: tuple[ClientFacts, ...]
    contacts: tuple[StaffMember, ...] = ()

    def member(self, name: str) -> StaffMember:
        """By the part of the address before the @."""
        return next(m for m in (*self.staff, *self.contacts) if m.email.partition("@")[0] == name)


HOUSE = "HOUSE"


def people_of_the_firm() -> Firm:
    """The bureau, its staff and their roles. From Priya and Omar Southquay is hidden."""
    traced = TEMP_BY_NUMBER[TRACED]
    both = (NORTHGATE.code, SOUTHQUAY.code)
    return Firm(
        name="Harbour Payroll Bureau Ltd",
        staff=(
            StaffMember("tom@harbour.example", "Tom Ashworth", dict.fromkeys((HOUSE, *both), "owner")),
            StaffMember("ada@harbour.example", "Ada Brennan", {HOUSE: "admin"}),
            StaffMember("lena@harbour.example", "Lena Hoffmann", dict.fromkeys((HOUSE, *both), "lead")),
            StaffMember("priya@harbour.example", "Priya Raman", {NORTHGATE.code: "specialist"}),
            StaffMember("omar@harbour.example", "Omar Siddiqui", {NORTHGATE.code: "checker"}),
            StaffMember("bea@harbour.example", "Bea Lindqvist", dict.fromkeys(both, "bookkeeper")),
        ),
        clients=(NORTHGATE, SOUTHQUAY),
        contacts=(
            *(StaffMember(c.email, c.name, {NORTHGATE.code: c.role}, kind="client") for c in CLIENT_CONTACTS),
            StaffMember(
                _email(traced), traced.name, {NORTHGATE.code: "employee"}, "employee", traced.payroll_number
            ),
        ),
    )
