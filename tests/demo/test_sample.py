"""The sample firm: the same files every time, taken in without a word, telling the story they are for."""

from __future__ import annotations

import re
import zipfile
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engineroom.billing import margin
from engineroom.demo import cast, week
from engineroom.demo.sample import (
    HOUSE,
    NORTHGATE,
    SOUTHQUAY,
    Sample,
    people_of_the_firm,
    the_story,
    write_sample,
)
from engineroom.foundation.access.roles import ROLES
from engineroom.foundation.imports.services import Parsed, find_importer
from engineroom.foundation.imports.sheets import Sheet, read_sheet
from engineroom.foundation.imports.tables import TableImporter
from engineroom.kernel.errors import Problem
from engineroom.kernel.periods import GbTaxYear, gb_tax_week, week_ending
from engineroom.ledger.charts import STAFFING
from engineroom.ledger.models import ACCOUNT_TYPES
from engineroom.payroll import imports as payroll_imports
from engineroom.payroll.engine.gb.gross_to_net import calculate, resolve_tables
from engineroom.payroll.great_britain_details import GB_TAX_RECORD
from engineroom.payroll.tax_details import column_of
from engineroom.people import imports as people_imports
from engineroom.timesheets import engine
from engineroom.timesheets import imports as timesheet_imports

MINIMUM_WAGE = 1271
BACS_NAME = 18


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return write_sample(tmp_path_factory.mktemp("sample"))


def importer_of(kind: str) -> TableImporter:
    found = find_importer(kind)
    assert isinstance(found, TableImporter)
    return found


def parsed(kind: str, path: Path) -> Parsed:
    """As a British client's importer reads it, without a client."""
    columns = [
        *importer_of(kind).columns,
        *(map(column_of, GB_TAX_RECORD.fields) if kind == "tax-details" else ()),
    ]
    sheet = read_sheet(path, file_name=path.name, columns=columns)
    return Parsed(sheet, len(sheet), list(sheet.problems))


@pytest.fixture(scope="module")
def sheets(sample: Sample) -> dict[str, Sheet]:
    """By file name, as the importers read them."""
    return {path.name: parsed(kind, path).content for kind, path in sample.imports()}


@pytest.fixture(scope="module")
def hours(sheets: dict[str, Sheet]) -> list[dict[str, Any]]:
    """Every row of both files of hours."""
    return [row for name, sheet in sheets.items() if name.startswith("timesheets") for row in sheet.rows()]


@pytest.fixture(scope="module")
def assignments(sheets: dict[str, Sheet]) -> dict[str, dict[str, Any]]:
    return {row["assignment"]: row for row in sheets["assignments.csv"].rows()}


# files -----------------------------------------------------------------------------------------------


def test_the_same_bytes_are_written_every_time(sample: Sample, tmp_path: Path) -> None:
    again = write_sample(tmp_path / "again")
    names = sorted(p.name for p in sample.folder.iterdir())
    assert names == sorted(p.name for p in again.folder.iterdir())
    assert len(names) == 8
    for name in names:
        assert (sample.folder / name).read_bytes() == (again.folder / name).read_bytes(), name


def test_workbooks_carry_a_fixed_day_not_the_clock(sample: Sample) -> None:
    for path in (sample.people, sample.timesheets[1]):
        with zipfile.ZipFile(path) as archive:
            said = archive.read("docProps/core.xml").decode()
        assert set(re.findall(r">(\d{4}-\d\d-\d\d)T", said)) == {"2026-11-23"}, path.name


def test_every_file_reads_without_a_problem_and_has_its_rows(sheets: dict[str, Sheet]) -> None:
    for name, sheet in sheets.items():
        assert sheet.problems == (), name
    counts = {name: len(sheet) for name, sheet in sheets.items()}
    assert counts["customers.csv"] == 8
    assert counts["orders.csv"] == 4
    assert counts["people.xlsx"] == counts["tax_details.csv"] == 60
    assert counts["assignments.csv"] == 64
    assert counts["timesheets-week-47.csv"] + counts["timesheets-week-47-harbour.xlsx"] > 290
    assert counts["timesheets-week-47-harbour.xlsx"] > 35


def test_every_file_passes_the_checks_of_its_importer(
    sample: Sample, sheets: dict[str, Sheet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The importers' own checks; the database answers what the files before would have put into it."""
    answer_from_files(sheets, monkeypatch)
    problems: list[Problem] = []
    for kind, path in sample.imports():
        problems += importer_of(kind).check(parsed(kind, path))
    assert problems == []


def test_the_checks_of_the_importers_do_look(
    sheets: dict[str, Sheet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a firm without people the same stubs find everybody missing."""
    answer_from_files(sheets, monkeypatch)
    monkeypatch.setattr(timesheet_imports, "_people", dict)
    file = SimpleNamespace(content=sheets["assignments.csv"], rows=64)
    assert len(importer_of("assignments").check(file)) == 64  # type: ignore[arg-type]


def answer_from_files(sheets: dict[str, Sheet], monkeypatch: pytest.MonkeyPatch) -> None:
    people = {number: number for number in sheets["people.xlsx"].columns["payroll_number"]}
    customers = {code: code for code in sheets["customers.csv"].columns["code"]}
    order_columns = sheets["orders.csv"].columns
    orders = {key: key for key in zip(order_columns["customer"], order_columns["order_number"], strict=True)}
    placed = {
        row["assignment"]: {
            "id": row["assignment"],
            "code": row["assignment"],
            "starts": row["start_date"],
            "ends": row["end_date"],
            "person__payroll_number": row["payroll_number"],
        }
        for row in sheets["assignments.csv"].rows()
    }
    nothing = SimpleNamespace(objects=SimpleNamespace(filter=lambda **_: Nothing()))
    scope = SimpleNamespace(client_id=None)
    for name, answer in {
        "_people": lambda: people,
        "_customers": lambda: customers,
        "_orders": lambda: orders,
        "_assignments": lambda codes: {code: placed[code] for code in codes if code in placed},
        "Assignment": nothing,
        "Timesheet": nothing,
        "current_scope": lambda: scope,
    }.items():
        monkeypatch.setattr(timesheet_imports, name, answer)
    monkeypatch.setattr(payroll_imports, "record_here", lambda: GB_TAX_RECORD)
    monkeypatch.setattr(payroll_imports, "_people", lambda: people)
    monkeypatch.setattr(payroll_imports, "_latest", dict)
    monkeypatch.setattr(people_imports, "_standing", lambda numbers: {})
    employed = {
        row["payroll_number"]: [(row["start_date"], row["leave_date"])]
        for row in sheets["people.xlsx"].rows()
    }
    monkeypatch.setattr(timesheet_imports, "_employments", lambda numbers: employed)
    monkeypatch.setattr(timesheet_imports, "_minutes_taken", lambda numbers, days: {})
    monkeypatch.setattr(margin, "floors", list)


class Nothing(list[Any]):
    """A query that finds nothing."""

    def values_list(self, *_: str, **__: bool) -> Nothing:
        return self


def test_the_files_are_a_mess_as_real_ones_are(sample: Sample) -> None:
    raw = sample.timesheets[0].read_bytes()
    text = raw.decode("utf-8-sig")
    assert raw.startswith(b"\xef\xbb\xbf")
    assert "\r\n\r\n" in text and "\r\n,,,,,\r\n" in text
    for notation in (",16/11/2026,", ",2026-11-16,", ",7.5 ", ",7:30,", ",07:30 ", "A2018  ,"):
        assert notation in text, notation


# the calendar ----------------------------------------------------------------------------------------


def test_the_payday_is_a_friday_in_tax_week_34_for_the_week_before(sample: Sample) -> None:
    assert sample.pay_date.strftime("%A") == "Friday"
    assert (str(GbTaxYear.of(sample.pay_date)), gb_tax_week(sample.pay_date)) == ("2026-27", 34)
    assert sample.week_starts.strftime("%A") == "Monday"
    assert sample.week_ends == week_ending(sample.pay_date) - timedelta(days=7)
    assert sample.week_starts.isocalendar().week == 47


# people ----------------------------------------------------------------------------------------------


def test_nobody_in_the_sample_can_be_somebody(sheets: dict[str, Sheet]) -> None:
    c = sheets["people.xlsx"].columns
    assert all(number.startswith("QQ") for number in c["ni_number"])
    assert all(code.startswith("00") for code in c["sort_code"])
    assert all(email is None or email.endswith(".example") for email in c["email"])
    for name in ("ni_number", "account_number", "payroll_number", "name"):
        assert len(set(c[name])) == 60, name


def test_names_have_what_names_have(sheets: dict[str, Sheet]) -> None:
    people = " ".join(sheets["people.xlsx"].columns["name"])
    customers = " ".join(sheets["customers.csv"].columns["name"])
    assert all(part in people for part in ("O'Neil", "é", "-", "Ł"))
    assert "&" in customers and "é" in customers


def test_tax_details_are_of_many_kinds_and_fit_peoples_ages(sheets: dict[str, Sheet]) -> None:
    c = sheets["tax_details.csv"].columns
    codes = set(c["tax_code"])
    assert {"1257L", "BR", "K475", "S1257L", "C1257L", "0T", "D0", "1383M", "1131N"} <= codes
    assert c["tax_code"].count("1257L") > 35
    assert set(c["ni_category"]) == {"A", "C", "H", "J", "M"}
    assert set(c["student_loan_plan"]) == {None, "1", "2", "4", "5"}
    assert c["postgraduate_loan"].count(True) == 1
    assert c["pension_relief"].count("salary_sacrifice") == 1
    assert c["pension_relief"].count("relief_at_source") > 30
    born = dict(
        zip(
            sheets["people.xlsx"].columns["payroll_number"],
            sheets["people.xlsx"].columns["date_of_birth"],
            strict=True,
        )
    )
    for number, category in zip(c["payroll_number"], c["ni_category"], strict=True):
        assert fits_age(category, born[number]), (number, category)


def fits_age(category: str, born: date) -> bool:
    """Under 21, apprentice under 25, over State Pension age (66 to 67 in these years), and all others."""
    age = (week.PAY_DATE - born).days / 365.25
    return {"M": age < 21, "H": age < 25, "C": age > 67.5}.get(category, 21 <= age < 66)


# rates and pay ---------------------------------------------------------------------------------------


def test_rates_run_from_the_minimum_wage_and_leave_a_margin(assignments: dict[str, dict[str, Any]]) -> None:
    pay = [row["pay_rate"] for row in assignments.values()]
    assert (min(pay), max(pay)) == (MINIMUM_WAGE, 2400)
    for row in assignments.values():
        assert 1.30 < row["bill_rate"] / row["pay_rate"] < 1.42
        assert row["overtime"] == 1_500_000 and row["weekend"] in (1_500_000, 2_000_000)
        assert row["weekly_hours"] in (2250, 2400)


def test_the_week_calculates_for_everybody_and_looks_like_a_week(
    sheets: dict[str, Sheet], hours: list[dict[str, Any]], assignments: dict[str, dict[str, Any]]
) -> None:
    pay, _ = pay_and_overtime(hours, assignments)
    c = sheets["tax_details.csv"].columns
    done = calculate(
        {
            "frequency": "weekly",
            "tax_period": 34,
            "basic_pay": [pay[number] for number in c["payroll_number"]],
            "tax_code": c["tax_code"],
            "week1_month1": [int(basis == "week1") for basis in c["basis"]],
            "ni_category": c["ni_category"],
            "student_loan_plan": [plan or "" for plan in c["student_loan_plan"]],
            "has_postgraduate_loan": [int(yes) for yes in c["postgraduate_loan"]],
            "pension_relief": [relief or "" for relief in c["pension_relief"]],
            "pension_member": [int(bool(relief)) for relief in c["pension_relief"]],
            "pension_employee_ppm": [share or 0 for share in c["pension_employee"]],
            "pension_employer_ppm": [share or 0 for share in c["pension_employer"]],
            "taxable_pay_to_date_before": [p or 0 for p in c["previous_pay"]],
            "tax_to_date_before": [t or 0 for t in c["previous_tax"]],
        },
        resolve_tables(week.PAY_DATE),
    )
    assert done.problems == []
    gross, tax, net = (done.columns[name] for name in ("gross", "paye", "net_pay"))
    assert gross.min() > 150_00 and gross.max() < 1_300_00
    assert (net > gross * 0.45).all()
    assert (tax >= 0).all() and (tax[gross > 400_00] > 0).all()
    standard = np.array(c["tax_code"]) == "1257L"
    expected = np.maximum(gross - 241_92, 0) // 5  # a week's allowance, the basic rate
    cumulative = standard & (np.array(c["basis"]) == "cumulative")
    assert (np.abs(tax - expected)[cumulative] < 15_00).all(), (
        "tax to date is not what these weeks would have paid"
    )
    loans = done.columns["student_loan"][[plan is not None for plan in c["student_loan_plan"]]]
    assert (loans > 0).sum() >= 6


def pay_and_overtime(
    hours: list[dict[str, Any]], assignments: dict[str, dict[str, Any]]
) -> tuple[dict[str, int], dict[tuple[str, date], set[str]]]:
    """Pay in pence by payroll number, and the kinds of hour by assignment and day, by the time engine."""
    rows = sorted((row for row in hours if row["hours"]), key=lambda r: (r["assignment"], r["date"]))
    charges = charges_of(rows, assignments)
    pay: dict[str, int] = defaultdict(int)
    kinds: dict[tuple[str, date], set[str]] = defaultdict(set)
    for entry, kind, amount in zip(charges.entry, charges.kind, charges.pay_amount, strict=True):
        row = rows[int(entry)]
        pay[row["payroll_number"]] += int(amount)
        kinds[row["assignment"], row["date"]].add(engine.KINDS[int(kind)])
    return pay, kinds


def charges_of(rows: list[dict[str, Any]], assignments: dict[str, dict[str, Any]]) -> engine.ChargeColumns:
    """rows: by assignment and day, without empty ones."""
    codes = [row["assignment"] for row in rows]

    def of_assignment(name: str) -> Any:
        return np.array([assignments[code][name] for code in codes], dtype=np.int64)

    return engine.interpret(
        engine.HourColumns(
            timesheet=np.unique(codes, return_inverse=True)[1].astype(np.int64),
            day=np.array([row["date"] for row in rows], dtype="datetime64[D]"),
            minutes=np.array([row["hours"] for row in rows], dtype=np.int64),
            threshold=of_assignment("weekly_hours"),
            pay_rate=of_assignment("pay_rate"),
            bill_rate=of_assignment("bill_rate"),
            overtime_ppm=of_assignment("overtime"),
            weekend_ppm=of_assignment("weekend"),
        )
    )


def test_sacrificed_pay_stays_above_the_minimum_wage() -> None:
    rates = {p.temp.payroll_number: p.pay_rate for p in week.placements()}
    for temp in cast.TEMPS:
        if temp.pension == cast.SACRIFICE:
            assert rates[temp.payroll_number] * 95 // 100 > MINIMUM_WAGE


# the story -------------------------------------------------------------------------------------------


def test_the_traced_day_has_overtime_and_is_neither_disputed_nor_held(
    sample: Sample, hours: list[dict[str, Any]], assignments: dict[str, dict[str, Any]]
) -> None:
    story = sample.story
    row = assignments[story.traced_assignment]
    assert row["payroll_number"] == story.traced_payroll_number
    assert row["customer"] != story.over_order_customer
    assert story.traced_assignment != story.disputed_assignment
    _, kinds = pay_and_overtime(hours, assignments)
    assert kinds[story.traced_assignment, story.traced_day] == {"basic", "overtime"}
    assert {kind for found in kinds.values() for kind in found} == {"basic", "overtime", "weekend"}


def test_one_assignments_week_is_disputed_with_a_comment(sample: Sample, hours: list[dict[str, Any]]) -> None:
    disputed = [row for row in hours if row["status"] == "disputed"]
    assert {row["assignment"] for row in disputed} == {sample.story.disputed_assignment}
    assert len(disputed) == len([r for r in hours if r["assignment"] == sample.story.disputed_assignment])
    assert [row["comment"] for row in disputed if row["comment"]] == [
        "Ward manager says Thursday was a half day, asked for the signed sheet 20/11"
    ]


def test_about_a_third_of_one_customers_hours_go_over_its_order(
    sample: Sample,
    sheets: dict[str, Sheet],
    hours: list[dict[str, Any]],
    assignments: dict[str, dict[str, Any]],
) -> None:
    """Held as the timesheet room holds them: what is beyond the limit, to the minute."""
    story = sample.story
    rows = sorted((row for row in hours if row["hours"]), key=lambda r: (r["assignment"], r["date"]))
    rows = [row for row in rows if assignments[row["assignment"]]["customer"] == story.over_order_customer]
    assert {assignments[row["assignment"]]["order_number"] for row in rows} == {story.over_order_number}
    charges = charges_of(rows, assignments)
    minutes = charges.minutes
    orders = {row["order_number"]: row for row in sheets["orders.csv"].rows()}
    over = int(minutes.sum()) - orders[story.over_order_number]["limit_hours"]
    assert 0.28 < over / int(minutes.sum()) < 0.40


def test_no_other_order_is_exhausted(
    sample: Sample,
    sheets: dict[str, Sheet],
    hours: list[dict[str, Any]],
    assignments: dict[str, dict[str, Any]],
) -> None:
    billed: dict[str, int] = defaultdict(int)
    rows = sorted((row for row in hours if row["hours"]), key=lambda r: (r["assignment"], r["date"]))
    charges = charges_of(rows, assignments)
    for entry, amount in zip(charges.entry, charges.bill_amount, strict=True):
        billed[assignments[rows[int(entry)]["assignment"]]["order_number"]] += int(amount)
    for order in sheets["orders.csv"].rows():
        assert order["limit_amount"] is None or billed[order["order_number"]] < order["limit_amount"]
        assert order["until_date"] is None or order["until_date"] > sample.week_ends


def test_the_starter_begins_on_wednesday_and_the_leaver_ends_on_thursday(
    sample: Sample, sheets: dict[str, Sheet], hours: list[dict[str, Any]]
) -> None:
    people = {row["payroll_number"]: row for row in sheets["people.xlsx"].rows()}
    days = defaultdict(set)
    for row in hours:
        days[row["payroll_number"]].add(row["date"])
    starter, leaver = sample.story.starter, sample.story.leaver
    assert people[starter]["start_date"] == min(days[starter]) == date(2026, 11, 18)
    assert people[leaver]["leave_date"] == max(days[leaver]) == date(2026, 11, 19)
    assert [n for n, row in people.items() if row["leave_date"]] == [leaver]


def test_two_people_work_for_two_customers_in_the_week(
    sample: Sample, hours: list[dict[str, Any]], assignments: dict[str, dict[str, Any]]
) -> None:
    customers = defaultdict(set)
    for row in hours:
        customers[row["payroll_number"]].add(assignments[row["assignment"]]["customer"])
    assert len(customers) == 60, "everybody worked"
    assert tuple(sorted(n for n, codes in customers.items() if len(codes) == 2)) == sample.story.two_customers


def test_whose_payment_comes_back_is_an_ordinary_payee(sample: Sample) -> None:
    story = sample.story
    assert story.returned in cast.TEMP_BY_NUMBER
    others = {story.traced_payroll_number, story.starter, story.leaver, *story.two_customers}
    assert story.returned not in others


# the firm --------------------------------------------------------------------------------------------


def test_only_some_of_the_firm_hold_anything_on_the_second_client() -> None:
    firm = people_of_the_firm()
    codes = {HOUSE, *(c.code for c in firm.clients)}
    assert {member.email.partition("@")[0] for member in firm.staff} == {
        "priya", "lena", "omar", "bea", "tom", "ada",
    }  # fmt: skip
    for member in firm.staff:
        assert set(member.roles) <= codes
        assert set(member.roles.values()) <= set(ROLES)
    on_second = {m.email for m in firm.staff if SOUTHQUAY.code in m.roles}
    on_first = {m.email for m in firm.staff if NORTHGATE.code in m.roles}
    assert on_second < on_first
    assert firm.member("priya").email in on_first - on_second


def test_approving_and_releasing_can_be_two_people_other_than_the_preparer() -> None:
    firm = people_of_the_firm()

    def who(permission: str) -> set[str]:
        return {
            m.email
            for m in firm.staff
            if ROLES.get(m.roles.get(NORTHGATE.code, ""), ROLES["admin"]).may(permission)
        }

    assert len(who("payroll.approve")) >= 2 and len(who("settlement.release")) >= 2
    assert "priya@harbour.example" not in who("payroll.approve") | who("settlement.release")


def test_the_own_account_can_be_written_into_a_bacs_file(sample: Sample) -> None:
    own = sample.own_account
    assert (len(own.sort_code), len(own.account_number), len(own.service_user_number)) == (6, 8, 6)
    assert (own.sort_code + own.account_number + own.service_user_number).isdigit()
    assert len(own.name) <= BACS_NAME
    assert own.iban.endswith(own.sort_code + own.account_number)
    digits = "".join(str(int(c, 36)) for c in own.iban[4:] + own.iban[:4])
    assert int(digits) % 97 == 1, "the IBAN's check digits are wrong (ISO 13616)"


def test_the_chart_has_every_account_the_rooms_post_to() -> None:
    from engineroom.billing import accounts as billing
    from engineroom.payroll import accounts as payroll
    from engineroom.settlement import accounts as settlement

    posted_to = {v for m in (billing, payroll, settlement) for k, v in vars(m).items() if k.isupper()}
    assert posted_to <= {code for code, *_ in STAFFING}
    assert {kind for _, _, kind, _ in STAFFING} <= set(ACCOUNT_TYPES)
    assert {code for code, _, _, control in STAFFING if control} == {
        "1100", "2100", "2200", "2210", "2220", "2230", "2300",
    }  # fmt: skip
    assert len({code for code, *_ in STAFFING}) == len(STAFFING)


def test_the_week_after_is_the_agreed_hours_of_who_still_works_then(sample: Sample) -> None:
    worked = week.hours_of_the_next_week()
    days = {w.day for w in worked}
    later = timedelta(days=7)
    assert min(days) == week.WEEK_STARTS + later and max(days) <= week.WEEK_ENDS + later
    assert all(w.placement.runs_on(w.day) and w.minutes > 0 for w in worked)
    assert cast.LEAVER not in {w.placement.temp.payroll_number for w in worked}
    assert sample.next_timesheets.read_text().count("\n") == len(worked) + 1


def test_all_four_faces_have_somebody():
    """The client's two never prepare what they approve; the employee is the temp whose hour is followed."""
    firm = people_of_the_firm()
    kinds = {member.kind for member in (*firm.staff, *firm.contacts)}
    assert kinds == {"staff", "client", "employee"}
    roles = {role for contact in firm.contacts for role in contact.roles.values()}
    assert roles == {"client_finance", "client_approver", "employee"}
    [employee] = [contact for contact in firm.contacts if contact.kind == "employee"]
    assert employee.payroll_number == the_story().traced_payroll_number
