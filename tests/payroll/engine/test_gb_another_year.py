"""Adding a year is adding YAML: a fictional 2027-28, in which most figures differ, without a line of code."""

import json
from datetime import date
from importlib import resources

import pytest
import yaml

from engineroom.kernel.tables import NoTableForDate, load_table, parse_table
from engineroom.payroll.engine.cases import COLUMNS
from engineroom.payroll.engine.gb import (
    gross_to_net,
    minimum_wage,
    orders,
    parental_pay,
    sick_pay,
    worksheets,
)
from engineroom.payroll.engine.verify import verify_file

PACKAGE = "engineroom.payroll.engine.gb"
FIRST, LAST = date(2027, 4, 6), date(2028, 4, 5)

CHANGES = {
    "income_tax": {"regulatory_limit": "0.40"},
    "student_loan": {
        "plans": {
            "1": {"annual": 27_000, "rate": "0.10"},
            "5": {"annual": 26_000, "rate": "0.09"},
            "6": {"annual": 30_000, "rate": "0.07"},
            "PG": {"annual": 21_000, "rate": "0.06"},
        }
    },
    "pension_auto_enrolment": {"relief_at_source": "0.25"},
    "holiday": {"accrual_rate": "0.13"},
    "employer": {"levy_rate": "0.006", "levy_allowance": 12_000},
    "sick_pay": {"weekly_pence": 13_000, "share_of_earnings": "0.90", "transition": None},
    "parental_pay": {"standard_pence": 20_000},
    "statutory_recovery": {"small_compensation": "0.10"},
    "minimum_wage": {"ages": [{"from": 16, "hourly_pence": 900}, {"from": 20, "hourly_pence": 1350}]},
    "direct_earnings_attachment": {"protected": "0.65"},
    "council_tax_attachment": {
        "wales": {
            "above": "0.60",
            **{
                unit: [{"up_to": limit, "rate": "0"}, {"up_to": 3 * limit, "rate": "0.10"}]
                for unit, limit in (("daily", 15), ("weekly", 100), ("monthly", 430))
            },
        }
    },
    "earnings_arrestment": {},
    "attachment_orders": {"fee_pence": 200},
    "pay_elements": {},
    "starter_declaration": {},
}
"""What is new in the fictional year; all else is as in the last year there is."""


def with_a_year_more(name):
    """The rule file as text, with a version for 2027-28 added and the one before it ended."""
    raw = yaml.safe_load(resources.files(PACKAGE).joinpath(f"rules/{name}.yaml").read_text("utf-8"))
    before = raw["versions"][-1]
    starts = date(2027, 4, 1) if name == "minimum_wage" else FIRST
    before["until"] = date.fromordinal(starts.toordinal() - 1)
    new = {**before, "from": starts, "until": LAST, "source": "a fiction, to show what adding a year takes"}
    new["values"] = {**before["values"], **changes_of(name, before["values"])}
    raw["versions"].append(new)
    return yaml.safe_dump(raw, allow_unicode=True, sort_keys=False)


def changes_of(name, values):
    if name == "income_tax":
        regions = json.loads(json.dumps(values["regions"]))
        regions["ruk"]["bands"] = [{"up_to": 40_000, "rate": "0.25"}, {"up_to": None, "rate": "0.50"}]
        return {**CHANGES[name], "regions": regions}
    if name == "ni_class1":
        thresholds = {**values["thresholds"], "PT": {"weekly": 250, "monthly": 1_084, "annual": 13_000}}
        categories = {**values["categories"], "A": {**values["categories"]["A"], "employee": "0.10"}}
        return {"thresholds": thresholds, "categories": categories}
    return CHANGES[name]


@pytest.fixture
def next_year(monkeypatch):
    """The engine with rule files that know 2027-28."""
    tables = {}

    def load(package, name):
        assert package == PACKAGE
        return tables.setdefault(name, parse_table(with_a_year_more(name)))

    for module in (worksheets, sick_pay):
        monkeypatch.setattr(module, "load_table", load)
    gross_to_net.resolve_tables.cache_clear()
    yield
    gross_to_net.resolve_tables.cache_clear()


def test_without_the_yaml_the_year_is_not_there():
    with pytest.raises(NoTableForDate):
        gross_to_net.resolve_tables(FIRST)


def test_every_rule_file_is_in_the_fiction():
    files = {path.name.removesuffix(".yaml") for path in resources.files(PACKAGE).joinpath("rules").iterdir()}
    assert files == {*CHANGES, "ni_class1"}


@pytest.mark.usefixtures("next_year")
def test_a_payslip_of_the_new_year_is_the_new_years():
    tables = gross_to_net.resolve_tables(FIRST)
    done = gross_to_net.calculate(
        {
            "tax_code": "1257L", "frequency": "monthly", "tax_period": 1, "ni_category": "A",
            "basic_pay": 300_000, "student_loan_plan": "1", "pension_member": 1,
            "pension_relief": "relief_at_source", "pension_employee_ppm": 50_000, "holiday_accrues": 1,
        },
        tables,
    )  # fmt: skip
    assert done.problems == []
    figures = {name: int(column[0]) for name, column in done.columns.items()}
    assert figures["paye"] == 48_775  # 25% of 1,951
    assert figures["employee_nic"] == 19_160  # 10% of 3,000 - 1,084
    assert figures["student_loan"] == 75_00  # 10% of 3,000 - 2,250
    assert figures["employee_pension"] == 9_300  # three quarters of 124.00
    assert figures["holiday_accrued_pay"] == 39_000
    assert tables.versions["ni_class1"].starts == FIRST
    assert tables.hash != gross_to_net.resolve_tables(date(2027, 4, 5)).hash


@pytest.mark.usefixtures("next_year")
def test_a_loan_plan_and_a_council_tax_table_that_no_year_had_are_yaml_too():
    person = {
        "tax_code": "NT",
        "frequency": "monthly",
        "tax_period": 1,
        "ni_category": "X",
        "basic_pay": [300_000] * 3,
        "student_loan_plan": ["6", "", ""],
    }
    councils = {"payslip": [1, 2], "kind": "council_tax", "made_on": 0, "nation": ["wales", "england"]}
    tables = gross_to_net.resolve_tables(FIRST, orders.TABLES)
    done = gross_to_net.calculate(person, tables, councils)
    assert done.columns["student_loan"].tolist() == [35_00, 0, 0]  # 7% of 3,000 - 2,500
    # 10% of 1,290 and 60% of the rest; England's: 17% of 2,020 and 50% of the rest
    assert done.orders["deduction"].tolist() == [12_900 + 102_600, 34_340 + 49_000]


@pytest.mark.usefixtures("next_year")
def test_the_rules_beside_the_payslip_know_the_new_year_too():
    sick = {
        "on": sick_pay.day_number(FIRST),
        "relevant_earnings": 10_000,
        "days_sick": 5,
        "qualifying_days_per_week": 5,
    }
    tables = sick_pay.DAYS.tables_at(FIRST)
    assert sick_pay.DAYS.calculate(sick, tables).columns["sick_pay"].tolist() == [9_000]
    week = {"payment": "smp", "week_no": 7, "relevant_earnings": 40_000}
    found = parental_pay.WEEK.calculate(week, parental_pay.WEEK.tables_at(FIRST))
    assert found.columns["payment_of_week"].tolist() == [20_000]
    hour = {
        "born_on": sick_pay.day_number(date(2007, 4, 1)),
        "period_starts": sick_pay.day_number(FIRST),
        "pay": 0,
        "minutes": 60,
    }
    wage = minimum_wage.CHECK.calculate(hour, minimum_wage.CHECK.tables_at(FIRST))
    assert wage.columns["hourly_rate"].tolist() == [1_350]
    order = {
        "payslip": [0],
        "kind": ["direct_earnings"],
        "made_on": [0],
        "rate_table": ["higher"],
        "takes_fee": [1],
    }
    person = {
        "tax_code": "NT",
        "frequency": "monthly",
        "tax_period": 1,
        "ni_category": "X",
        "basic_pay": 300_000,
    }
    paid = gross_to_net.calculate(person, gross_to_net.resolve_tables(FIRST, orders.TABLES), order)
    assert paid.columns["net_pay"].tolist() == [195_000 - 200]  # 65% protected; a fee of 2.00


@pytest.mark.usefixtures("next_year")
def test_published_cases_of_the_new_year_are_answered(tmp_path):
    rows = [
        ("ssp_weekly_rate", "", {"average_weekly_earnings": "100.00"}, {"weekly_rate": "90.00"}),
        (
            "apprenticeship_levy",
            "1",
            {"annual_allowance": "12000.00", "levy_paid_ytd_before": "0.00", "pay_bill_ytd": "300000.00"},
            {"levy_this_month": "800.00"},
        ),
        ("student_loan", "1", {"niable_pay": "3000.00", "plan": "1"}, {"deduction": "75.00"}),
    ]
    text = ",".join(COLUMNS) + "\n"
    for n, (kind, period, inputs, expected) in enumerate(rows):
        quoted = ['"' + json.dumps(value).replace('"', '""') + '"' for value in (inputs, expected)]
        text += (
            ",".join([str(n), "gb", "2027-28", "monthly", period, kind, *quoted, "0.00", "", "", ""]) + "\n"
        )
    path = tmp_path / "next.csv"
    path.write_text(text, encoding="utf-8")
    report = verify_file(path)
    assert (report.failures, report.passed) == ([], len(rows))


def test_the_tables_the_fiction_starts_from_are_those_of_the_project():
    for name in (*CHANGES, "ni_class1"):
        known = load_table(PACKAGE, name)
        assert parse_table(with_a_year_more(name)).versions[:-2] == known.versions[:-1]
