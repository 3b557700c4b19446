"""Verification of a file: what counts as passed, failed and not supported, and what a malformed row does."""

import csv
import json

import pytest

from engineroom.payroll.engine.cases import COLUMNS
from engineroom.payroll.engine.verify import VectorsUnreadable, verify_file

LOAN = {
    "id": "loan-1",
    "jurisdiction": "gb",
    "year": "2026-27",
    "frequency": "monthly",
    "period_no": "1",
    "kind": "student_loan",
    "inputs": json.dumps({"niable_pay": "3000.00", "plan": "2"}),
    "expected": json.dumps({"deduction": "49.00"}),
    "tolerance": "0.00",
    "status": "third_party",
    "source": "",
    "notes": "",
}
TAX = LOAN | {
    "id": "tax-1",
    "kind": "paye",
    "inputs": json.dumps(
        {
            "basis": "cumulative",
            "pay": "1156.25",
            "tax_code": "1257L",
            "tax_paid_before": "0.00",
            "taxable_pay_to_date": "1156.25",
        }
    ),
    "expected": json.dumps({"tax_this_period": "21.40"}),
}


@pytest.fixture
def verify(tmp_path):
    def run(*rows, **options):
        path = tmp_path / "cases.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        return verify_file(path, **options)

    return run


def with_inputs(row, **changes):
    inputs = json.loads(row["inputs"]) | changes
    return row | {"inputs": json.dumps({k: v for k, v in inputs.items() if v is not None})}


def test_a_case_that_agrees_passes_and_the_report_says_so(verify):
    report = verify(LOAN)
    assert (report.passed, report.failed, report.not_supported, report.ok) == (1, 0, 0, True)
    assert list(report.lines())[-1] == "1 passed, 0 failed, 0 not supported (cases.csv)"


def test_a_case_that_disagrees_shows_both_figures(verify):
    report = verify(LOAN | {"expected": json.dumps({"deduction": "50.00"})})
    assert (report.passed, report.failed, report.ok) == (0, 1, False)
    assert "row 2, loan-1, deduction: expected 50.00, got 49.00" in list(report.lines())


def test_numbers_are_compared_as_numbers_and_the_tolerance_is_inclusive(verify):
    off = TAX | {"expected": json.dumps({"tax_this_period": "21.41"})}
    assert verify(LOAN | {"expected": json.dumps({"deduction": "49"})}).passed == 1
    assert verify(off).failed == 1
    assert verify(off | {"tolerance": "0.01"}).passed == 1
    assert verify(off | {"tolerance": "0.009"}).failed == 1


def test_other_kinds_and_jurisdictions_are_not_supported_and_not_passed(verify):
    report = verify(LOAN | {"kind": "fica"}, LOAN | {"jurisdiction": "us", "id": "2"}, LOAN | {"id": "3"})
    assert (report.passed, report.failed, report.not_supported) == (1, 0, 2)
    assert report.kinds["fica"].not_supported == 1


def test_a_file_in_which_nothing_is_supported_is_not_ok(verify):
    assert not verify(LOAN | {"kind": "fica"}).ok
    assert not verify().ok


def test_only_the_kinds_asked_for_are_run(verify):
    report = verify(LOAN, TAX, kinds=["paye"])
    assert list(report.kinds) == ["paye"]


@pytest.mark.parametrize(
    ("row", "key", "says"),
    [
        (LOAN | {"inputs": "{"}, "inputs", "not JSON"),
        (LOAN | {"inputs": "[1]"}, "inputs", "not a JSON object"),
        (LOAN | {"inputs": ""}, "inputs", "not JSON"),
        (LOAN | {"inputs": "[" * 100_000}, "inputs", "not JSON"),
        (LOAN | {"expected": "{}"}, "expected", "nothing could fail"),
        (LOAN | {"tolerance": "a bit"}, "tolerance", "not an amount"),
        (LOAN | {"tolerance": "NaN"}, "tolerance", "not an amount"),
        (LOAN | {"tolerance": "-1"}, "tolerance", "not an amount"),
        (LOAN | {"id": ""}, "id", "empty"),
        (LOAN | {"year": "2026"}, "year", "not a tax year"),
        (LOAN | {"year": "0000-01"}, "year", "not a tax year"),
        (LOAN | {"year": "2014-15"}, "the calculation", "no version"),
        (LOAN | {"period_no": "abc"}, "period_no", "not a period"),
        (LOAN | {"period_no": "367"}, "period_no", "not a period"),
        (LOAN | {"expected": json.dumps({"deduction": "9e999999999"})}, "deduction", "49.00"),
        (LOAN | {"frequency": "daily"}, "frequency", "not a pay frequency"),
        (with_inputs(LOAN, niable_pay=None), "inputs.niable_pay", "missing"),
        (with_inputs(LOAN, niable_pay="abc"), "inputs.niable_pay", "not an amount"),
        (with_inputs(LOAN, niable_pay=3000.5), "inputs.niable_pay", "not text"),
        (with_inputs(LOAN, niable_pay="-1.00"), "inputs.niable_pay", "below zero"),
        (with_inputs(LOAN, niable_pay="9" * 5000), "inputs.niable_pay", "larger than"),
        (with_inputs(LOAN, niable_pay="9999999999999.99"), "inputs.niable_pay", "more than"),
        (with_inputs(LOAN, plan="3"), "inputs.plan", "not one of"),
        (with_inputs(LOAN, plan=""), "inputs.plan", "not one of"),
        (with_inputs(LOAN, colour="red"), "inputs.colour", "no such input"),
        (with_inputs(TAX, tax_code="K0"), "inputs.tax_code", "not a tax code"),
        (with_inputs(TAX, basis="sometimes"), "inputs.basis", "not one of"),
        (with_inputs(TAX, taxable_pay_to_date="1.00"), "inputs.taxable_pay_to_date", "below zero"),
        (TAX | {"period_no": ""}, "period_no", "it is missing"),
        (TAX | {"period_no": "13"}, "period_no", "not a tax period"),
        (with_inputs(TAX, tax_week="4"), "inputs.tax_week", "not a whole number"),
    ],
)
def test_a_malformed_row_is_a_failure_that_names_row_and_field(verify, row, key, says):
    report = verify(TAX | {"id": "good"}, row)
    assert (report.passed, report.failed) == (1, 1)
    assert (report.failures[0].row, report.failures[0].key) == (3, key)
    assert says in report.failures[0].got


def case(kind, inputs, expected, **changes):
    return (
        LOAN
        | {"id": kind, "kind": kind, "inputs": json.dumps(inputs), "expected": json.dumps(expected)}
        | changes
    )


@pytest.mark.parametrize(
    "row",
    [
        case(
            "payslip",
            {"basic_pay": "3000.00", "basis": "cumulative", "ni_category": "A", "tax_code": "1257L"},
            {"tax": "390.20", "net_pay": "2453.64"},
            period_no="",
        ),
        with_inputs(TAX, basis="week1_month1") | {"period_no": ""},
    ],
    ids=["the first payslip of a year", "tax of a month alone"],
)
def test_a_period_that_plays_no_part_may_be_left_out(verify, row):
    assert verify(row).failures == []


def test_contributions_of_a_director_may_be_more_than_the_payment(verify):
    """56,000 paid and nothing charged yet: the last 100.00 cannot bear it, and it is due all the same."""
    paid = DIRECTOR | {"is_final_period": True, "pay": "100.00", "pay_ytd_including": "56000.00"}
    due = {"employee_nic": "3130.60", "employer_nic": "7650.00"}
    assert verify(case("ni_director", paid, due, period_no="12")).failures == []


def test_a_payslip_that_cannot_bear_its_deductions_is_refused(verify):
    slip = {
        "basic_pay": "1500.00", "basis": "cumulative", "ni_category": "A", "tax_code": "K9999",
        "pension_relief": "relief_at_source", "pension_employee_pct": "100",
    }  # fmt: skip
    report = verify(case("payslip", slip, {"tax": "750.00"}))
    assert [(f.key, f.got) for f in report.failures] == [
        ("inputs.basic_pay", "the deductions are more than the pay")
    ]


SSP = {"average_weekly_earnings": "500.00", "qualifying_days_per_week": 5, "qualifying_days_sick": 3}
DIRECTOR = {
    "category": "A", "employee_nic_ytd_before": "0.00", "employer_nic_ytd_before": "0.00",
    "is_final_period": False, "method": "annual", "pay": "5000.00", "pay_ytd_including": "15000.00",
    "weeks_in_prorata_period": 52,
}  # fmt: skip
LEVY = {"annual_allowance": "15000.00", "levy_paid_ytd_before": "0.00", "pay_bill_ytd": "300000.00"}
CASES = {
    "ssp": case("ssp", SSP, {"ssp": "73.95"}),
    "ni_director": case("ni_director", DIRECTOR, {"employee_nic": "194.40"}, period_no="3"),
    "apprenticeship_levy": case("apprenticeship_levy", LEVY, {"levy_this_month": "250.00"}),
    "attachment_dea": case(
        "attachment_dea", {"net_earnings": "950.01", "rate_table": "higher"}, {"deduction": "133.00"}
    ),
    "attachment_ctaeo": case(
        "attachment_ctaeo", {"net_earnings": "50.00"}, {"deduction": "6.00"}, frequency="daily"
    ),
    "attachment_earnings_arrestment": case(
        "attachment_earnings_arrestment", {"net_earnings": "3000.00"}, {"deduction": "437.50"}
    ),
    "smp": case("smp", {"average_weekly_earnings": "400.00", "week_no": 7}, {"smp": "194.32"}),
    "statutory_recovery": case(
        "statutory_recovery", {"small_employer": True, "smp_paid": "3400.00"}, {"total": "3706.00"}
    ),
}


@pytest.mark.parametrize(
    ("kind", "changes", "key", "says"),
    [
        ("ssp", {"qualifying_days_sick": -3}, "inputs.qualifying_days_sick", "is not a number of days"),
        (
            "ssp",
            {"qualifying_days_per_week": 0},
            "inputs.qualifying_days_per_week",
            "is not a number of days",
        ),
        (
            "ssp",
            {"average_weekly_earnings": "9999999999999.99"},
            "inputs.average_weekly_earnings",
            "more than",
        ),
        ("ssp", {"transitional_protected": "yes"}, "inputs.transitional_protected", "neither true nor false"),
        ("ni_director", {"weeks_in_prorata_period": 53}, "inputs.weeks_in_prorata_period", "number of weeks"),
        ("ni_director", {"method": ""}, "inputs.method", "not one of"),
        ("ni_director", {"category": "Q"}, "inputs.category", "not a National Insurance category"),
        ("ni_director", {"pay_ytd_including": "1.00"}, "inputs.pay_ytd_including", "below zero"),
        ("apprenticeship_levy", {"annual_allowance": "15000.01"}, "inputs.annual_allowance", "more than"),
        ("apprenticeship_levy", {"annual_allowance": "-0.01"}, "inputs.annual_allowance", "below zero"),
        ("apprenticeship_levy", {"pay_bill_ytd": "-1.00"}, "inputs.pay_bill_ytd", "below zero"),
        ("attachment_dea", {"rate_table": "middling"}, "inputs.rate_table", "not one of"),
        ("attachment_dea", {"net_earnings": "-0.01"}, "inputs.net_earnings", "below zero"),
        ("attachment_dea", {"protected": "0.60"}, "inputs.protected", "no such input"),
        ("attachment_earnings_arrestment", {"net_earnings": "1e3"}, "inputs.net_earnings", "not an amount"),
        ("smp", {"week_no": 0}, "inputs.week_no", "is not a number of weeks"),
        ("smp", {"week_no": "7"}, "inputs.week_no", "not a whole number"),
        ("statutory_recovery", {"small_employer": 1}, "inputs.small_employer", "neither true nor false"),
    ],
)
def test_a_kind_beside_the_payslip_names_the_input_that_is_wrong(verify, kind, changes, key, says):
    good = CASES[kind]
    assert verify(good).failures == []
    report = verify(with_inputs(good, **changes))
    assert [failure.key for failure in report.failures] == [key]
    assert says in report.failures[0].got


@pytest.mark.parametrize(
    ("kind", "changes", "says"),
    [
        ("attachment_dea", {"frequency": "daily"}, "frequency"),
        ("attachment_earnings_arrestment", {"frequency": "daily"}, "frequency"),
        ("attachment_ctaeo", {"frequency": "hourly"}, "frequency"),
        ("apprenticeship_levy", {"period_no": "13"}, "period_no"),
        ("apprenticeship_levy", {"period_no": ""}, "period_no"),
        ("ssp", {"year": "2024-25"}, "the calculation"),
        ("smp", {"year": "2027-28"}, "the calculation"),
    ],
)
def test_a_frequency_month_or_year_without_a_table_is_a_failure_of_its_row(verify, kind, changes, says):
    assert verify(CASES[kind]).failures == []
    report = verify(CASES[kind] | changes)
    assert [failure.key for failure in report.failures] == [says]


def test_an_expected_figure_the_engine_does_not_give_is_a_failure(verify):
    report = verify(LOAN | {"expected": json.dumps({"deduction": "49.00", "mood": "fine"})})
    assert [failure.key for failure in report.failures] == ["mood"]


def test_half_a_character_in_a_row_can_still_be_printed(verify):
    report = verify(LOAN | {"expected": json.dumps({"deduction": "\ud800"})})
    assert "\\ud800" in "\n".join(report.lines()).encode().decode()


@pytest.mark.parametrize("rate", ["Infinity", "1e999999", "NaN", "9e-2", "\u0660.09", "0_0.09", ""])
def test_a_rate_without_end_is_a_failure_of_its_row(verify, rate):
    inputs = {
        "annual_threshold": "17495.00", "attachable_after_priority_orders": "903.00", "niable_pay": "2075.00",
        "protected_earnings": "850.00", "rate": rate,
    }  # fmt: skip
    row = case("student_loan_protected_earnings", inputs, {"deduction": "53.00"})
    assert [failure.key for failure in verify(row).failures] == ["inputs.rate"]


@pytest.mark.parametrize("name", ["pension_relief", "student_loan_plan"])
def test_what_a_payslip_is_without_is_left_out_and_not_left_empty(verify, name):
    inputs = {"basic_pay": "3000.00", "basis": "cumulative", "ni_category": "A", "tax_code": "1257L"}
    assert verify(case("payslip", inputs, {"gross": "3000.00"})).failures == []
    row = case("payslip", {**inputs, name: ""}, {"gross": "3000.00"})
    assert [failure.key for failure in verify(row).failures] == [f"inputs.{name}"]


@pytest.mark.parametrize("share", ["pension_employee_pct", "pension_employer_pct"])
def test_a_pension_contribution_says_how_it_is_taken(verify, share):
    inputs = {"basic_pay": "3000.00", "basis": "cumulative", "ni_category": "A", "tax_code": "1257L"}
    row = case("payslip", {**inputs, share: "5"}, {"gross": "3000.00"})
    assert [failure.key for failure in verify(row).failures] == [f"inputs.{share}"]


@pytest.mark.parametrize(
    ("period", "to_date", "employee", "employer", "final", "bands"),
    [
        ("6", "2000.00", "58.66", "4.95", False, ("250.00", "234.00", "1450.00")),
        ("13", "9000.00", "469.28", "39.60", False, ("1125.00", "1053.00", "6525.00")),
        ("51", "47000.00", "2698.36", "227.70", False, ("5875.00", "5499.00", "34075.00")),
        ("52", "48000.00", "2757.02", "232.65", True, ("6000.00", "5616.00", "34800.00")),
    ],
)
def test_a_director_appointed_in_the_year_has_the_bands_of_the_weeks_since(
    verify, period, to_date, employee, employer, final, bands
):
    """HMRC's test data for directors 2025-26, case 2: category M, 1,000 a week from week 5."""
    inputs = {
        "category": "M", "method": "alternative", "pay": "1000.00", "pay_ytd_including": to_date,
        "weeks_in_prorata_period": 48, "is_final_period": final,
        "employee_nic_ytd_before": employee, "employer_nic_ytd_before": employer,
    }  # fmt: skip
    names = ("earnings_at_lel_ytd", "earnings_lel_to_pt_ytd", "earnings_pt_to_uel_ytd")
    row = case("ni_director", inputs, dict(zip(names, bands, strict=True)), year="2025-26",
               frequency="weekly", period_no=period)  # fmt: skip
    assert verify(row).failures == []


def test_the_same_id_twice_is_a_failure(verify):
    report = verify(LOAN, LOAN)
    assert (report.passed, report.failed) == (1, 1)
    assert report.failures[0].key == "id"


def test_a_row_without_a_kind_is_a_failure_not_a_row_left_out(verify):
    assert verify(LOAN | {"kind": ""}).failed == 1


def test_a_quote_left_open_is_a_failure_not_the_silent_end_of_the_file(tmp_path):
    path = tmp_path / "open.csv"
    row = ",".join(["x", "gb", "2026-27", "monthly", "1", "paye", '"{', "{}", "0", "", "", ""])
    path.write_text(",".join(COLUMNS) + "\n" + row + "\n", encoding="utf-8")
    report = verify_file(path)
    assert report.failed == 1
    assert not report.ok


def test_a_row_too_short_or_too_long_is_a_failure(tmp_path):
    path = tmp_path / "short.csv"
    long = ",".join(["y", "gb", "2026-27", "monthly", "1", "paye", "{}", "{}", "0", "", "", "", "more"])
    path.write_text(",".join(COLUMNS) + "\nx,gb,2026-27,monthly,1,paye\n" + long + "\n", encoding="utf-8")
    report = verify_file(path)
    assert [(failure.row, failure.key) for failure in report.failures] == [(2, "inputs"), (3, "row")]


def test_a_file_that_is_none_is_refused_by_name(tmp_path):
    with pytest.raises(VectorsUnreadable, match="nowhere"):
        verify_file(tmp_path / "nowhere.csv")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(VectorsUnreadable, match="lacks id"):
        verify_file(tmp_path / "bad.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(VectorsUnreadable):
        verify_file(tmp_path / "bytes.csv")


def test_fortnightly_pay_without_a_tax_week_uses_the_week_that_ends_the_fortnight(verify):
    inputs = {"basis": "cumulative", "pay": "1000.00", "tax_code": "1257L", "tax_paid_before": "0.00"}
    row = TAX | {
        "frequency": "biweekly",
        "inputs": json.dumps(inputs | {"taxable_pay_to_date": "1000.00"}),
        "expected": json.dumps({"tax_this_period": "103.20"}),
    }
    assert verify(row, row | {"id": "w2", "period_no": "2"}).passed == 2
    assert verify(with_inputs(row, tax_week=2)).passed == 1
