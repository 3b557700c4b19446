"""The dated tables say what the facts say, and a year is YAML only."""

import json
import os
from datetime import date
from decimal import Decimal
from importlib import resources
from pathlib import Path

import pytest
import yaml

from engineroom.kernel.tables import NoTableForDate, load_table, parse_table
from engineroom.payroll.engine.gb import nic, student_loan
from engineroom.payroll.engine.gb.gross_to_net import resolve_tables
from engineroom.payroll.engine.gb.paye import IncomeTax

SHARED = Path(os.environ.get("ENGINEROOM_SHARED") or Path(__file__).parents[3].parent / "shared")
PARAMS = SHARED / "facts" / "gb" / "params.json"
YEARS = {"2025-26": date(2025, 6, 1), "2026-27": date(2026, 6, 1)}
PACKAGE = "engineroom.payroll.engine.gb"
RULES = Path(str(resources.files(PACKAGE).joinpath("rules")))
FREQUENCY_NAMES = {
    "week": "weekly", "fortnight": "biweekly", "four_week": "four_weekly", "month": "monthly",
    "quarter": "quarterly", "half": "semi_annual", "year": "annual",
}  # fmt: skip

needs_facts = pytest.mark.skipif(not PARAMS.exists(), reason=f"no facts to compare with: {PARAMS} is absent")


@pytest.fixture(scope="module")
def params():
    return json.loads(PARAMS.read_text("utf-8"), parse_float=Decimal)


def bands(region):
    return [[band["up_to"], Decimal(band["rate"])] for band in region["bands"]]


@needs_facts
@pytest.mark.parametrize("year", YEARS)
def test_income_tax_tables_are_the_facts(params, year):
    table = load_table(PACKAGE, "income_tax").at(YEARS[year])
    common = params["common"]
    assert table["personal_allowance"] == common["personal_allowance"]
    assert table["standard_code"] == common["standard_code"]
    assert Decimal(table["regulatory_limit"]) == common["regulatory_limit"]
    assert (
        bands(table["regions"]["ruk"])
        == bands(table["regions"]["wales"])
        == common["paye_bands_ruk_and_wales"]
    )
    assert bands(table["regions"]["scotland"]) == params[year]["scotland_bands"]
    block = {name: Decimal(value) for name, value in table["code_block"].items()}
    assert block == common["code_block"]


@needs_facts
@pytest.mark.parametrize("year", YEARS)
def test_national_insurance_tables_are_the_facts(params, year):
    table = load_table(PACKAGE, "ni_class1").at(YEARS[year])
    names = {"FUST": "FUST_IZUST", "UST": "UST_AUST_VUST"}
    for name, published in table["thresholds"].items():
        facts = params[year]["ni"][names.get(name, name)]
        assert [published["weekly"], published["monthly"], published["annual"]] == facts
    starts = {"ST": "ST+", "FUST": "FUST+", "UST": "UST+"}
    seen = set()
    for letters, rates in params["common"]["ni_rates"]["employee"].items():
        for letter in letters.split(","):
            seen.add(letter)
            row = table["categories"][letter]
            found = row and [Decimal(row["employee"]), Decimal(row["employee_above_uel"])]
            assert found == rates, letter
    for letters, slices in params["common"]["ni_rates"]["employer"].items():
        for letter in letters.split(","):
            row = table["categories"][letter]
            assert slices[starts[row["employer_from"]]] == Decimal(row["employer"]), letter
    assert set(table["categories"]) == seen


@needs_facts
@pytest.mark.parametrize("year", YEARS)
def test_loan_and_pension_tables_are_the_facts(params, year):
    loans = load_table(PACKAGE, "student_loan").at(YEARS[year])
    facts = {
        ("PG" if k == "pg" else k.removeprefix("plan")): v for k, v in params[year]["student_loan"].items()
    }
    assert {
        plan: [row["annual"], Decimal(row["monthly"]), Decimal(row["weekly"])]
        for plan, row in loans["plans"].items()
    } == facts
    pension = load_table(PACKAGE, "pension_auto_enrolment").at(YEARS[year])
    for ours, theirs in (
        ("trigger", "trigger"),
        ("qualifying_lower", "qe_lower"),
        ("qualifying_upper", "qe_upper"),
    ):
        expected = {FREQUENCY_NAMES[k]: v for k, v in params["common"]["auto_enrolment"][theirs].items()}
        assert pension[ours] == expected


@pytest.mark.parametrize("year", YEARS)
def test_published_loan_thresholds_are_the_annual_one_cut_to_a_penny(year):
    for plan in load_table(PACKAGE, "student_loan").at(YEARS[year])["plans"].values():
        annual = {"annual": plan["annual"]}
        for frequency in ("weekly", "monthly"):
            computed = student_loan.period_threshold(annual, frequency)
            assert student_loan.period_threshold(plan, frequency) == computed


def test_thresholds_of_several_weeks_come_from_the_year_rounded_up():
    thresholds = load_table(PACKAGE, "ni_class1").at(YEARS["2025-26"])["thresholds"]
    found = {
        (name, frequency): nic.period_threshold(thresholds[name], frequency)
        for name in ("PT", "ST", "UEL", "FUST", "LEL")
        for frequency in ("biweekly", "four_weekly")
    }
    assert found == {
        ("PT", "biweekly"): 484, ("ST", "biweekly"): 193, ("UEL", "biweekly"): 1934,
        ("FUST", "biweekly"): 962, ("PT", "four_weekly"): 967, ("ST", "four_weekly"): 385,
        ("UEL", "four_weekly"): 3867, ("FUST", "four_weekly"): 1924,
        ("LEL", "biweekly"): 250, ("LEL", "four_weekly"): 500,
    }  # fmt: skip


def test_the_law_changes_on_6_april_and_is_not_borrowed_from_another_year():
    before, after = resolve_tables(date(2026, 4, 5)), resolve_tables(date(2026, 4, 6))
    assert before.versions["income_tax"].ends == date(2026, 4, 5)
    assert after.versions["income_tax"].starts == date(2026, 4, 6)
    assert before.hash != after.hash == resolve_tables(date(2027, 4, 5)).hash
    for day in (date(2025, 4, 5), date(2027, 4, 6)):
        with pytest.raises(NoTableForDate):
            resolve_tables(day)


@pytest.mark.parametrize("name", sorted(path.stem for path in RULES.iterdir() if path.suffix == ".yaml"))
def test_every_version_names_its_source_and_values_from_memory_are_marked(name):
    for version in load_table(PACKAGE, name).versions:
        assert len(version.source) > 20
        if name == "starter_declaration":  # facts/gb.md names the statements from memory
            assert version.confidence == "unverified"
            continue
        assert version.confidence == "verified"
        assert set(version.unverified()) <= {
            "other_frequencies", "relief_at_source", "minimum_employer", "minimum_total", "rounding",
            "commission_pay", "tips_pay", "expenses_paid", "counts_for", "statutory_parental_pay",
            "levy_rate", "levy_allowance", "levy_rounding", "look_back_weeks", "apprentice_below", "others",
            "child_maintenance_protected", "fee_pence", "protected", "most_weeks", "linking_days",
        }  # fmt: skip


def test_a_further_year_needs_yaml_only():
    text = resources.files(PACKAGE).joinpath("rules/income_tax.yaml").read_text("utf-8")
    raw = yaml.safe_load(text)
    raw["versions"].append(raw["versions"][-1] | {"from": date(2027, 4, 6), "until": date(2028, 4, 5)})
    raw["versions"][-1]["values"] = raw["versions"][-1]["values"] | {"regulatory_limit": "0.40"}
    table = parse_table(yaml.safe_dump(raw))
    assert IncomeTax.of(table.at(date(2027, 5, 1))).regulatory_limit_ppm == 400_000
