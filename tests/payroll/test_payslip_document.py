"""The payslip: states what the law asks, takes any name as text, and is the same bytes every time."""

import io
from dataclasses import replace
from datetime import date

import pytest
from pypdf import PdfReader

from engineroom.kernel.errors import InputRefused
from engineroom.payroll.documents import EarnedTime, PayLine, PayslipDocument, render_payslips
from engineroom.ui.display import Figure

PAYSLIP = PayslipDocument(
    employer_name="Northgate Temps Ltd",
    person_name="Marguerite O’Connell-Łukasiewicz",
    payroll_number="NG-1001",
    facts=[
        ("National Insurance number", "QQ •• •• 21 C"),
        ("NI category", "A"),
        ("Tax code", "1257L Week 1"),
        ("Employer PAYE reference", "123/NG45678"),
    ],
    pay_date=date(2026, 5, 8),
    tax_period="Tax week 5",
    period_from=date(2026, 4, 27),
    period_to=date(2026, 5, 3),
    pay=[
        PayLine("Warehouse nights", 2250, 1450, 54375),
        PayLine("Call-out, timed to the minute", 160, 1450, 3867),
        PayLine("Night premium", None, None, 1200),
    ],
    deductions=[Figure("Income tax (PAYE)", 6020), Figure("National Insurance", 2406)],
    gross_minor=59442,
    total_deductions_minor=8426,
    net_minor=51016,
    payment_method="Bacs",
    bank_account="account ending 4417",
    run_number="2026-W05 v2",
    rules_hash="3f9a1c07b2",
    payslip_reference="NG-004117",
    employer_contributions=[Figure("Employer’s National Insurance", 6123)],
    to_date=[Figure("Taxable pay to date", 263845)],
    earned=EarnedTime("Holiday", "Earned on this payslip", 303),
    notes=["Hours approved by Brindle Care on 4 May 2026."],
)


def text_of(document: PayslipDocument) -> str:
    (pdf,) = render_payslips([document])
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


@pytest.fixture(scope="module")
def text() -> str:
    return text_of(PAYSLIP)


@pytest.mark.parametrize(
    "item",
    [
        "Northgate Temps Ltd", "123/NG45678", "Marguerite O’Connell-Łukasiewicz", "NG-1001",
        "QQ •• •• 21 C", "1257L Week 1", "8 May 2026", "Tax week 5", "27 Apr to 3 May 2026",
        "Warehouse nights", "37.50", "14.50", "543.75", "Night premium", "12.00", "Income tax (PAYE)",
        "60.20", "National Insurance", "24.06", "594.42", "84.26", "£510.16",
        "Employer’s National Insurance", "61.23", "Taxable pay to date", "2,638.45", "Bacs",
        "account ending 4417", "5.05", "2026-W05 v2", "3f9a1c07b2", "NG-004117",
        "Hours approved by Brindle Care",
    ],
)  # fmt: skip
def test_a_payslip_states_everything_the_law_and_the_trace_ask_for(text, item):
    assert item in text


def test_hours_that_decimals_cannot_hold_are_shown_exactly(text):
    assert "2 h 40" in text


def test_a_tax_refund_is_shown_as_a_minus_and_said_in_words():
    refunded = replace(
        PAYSLIP,
        deductions=[Figure("Income tax (PAYE)", -4200), Figure("National Insurance", 2406)],
        total_deductions_minor=-1794,
        net_minor=61236,
    )
    text = text_of(refunded)
    assert "−42.00" in text
    assert "refunded to you" in text
    assert "17.94 refunded to you after deductions" in text
    assert "£612.36" in text


def test_a_salary_without_hours_has_no_empty_hours_column():
    salary = replace(PAYSLIP, pay=[PayLine("Salary", None, None, 59442)])
    assert "Rate" not in text_of(salary)


def test_net_pay_split_over_two_payments_shows_each_with_its_method():
    split = replace(
        PAYSLIP, payments=[Figure("by Bacs to account ending 4417", 50000), Figure("by cheque", 1016)]
    )
    text = text_of(split)
    assert "£500.00 by Bacs to account ending 4417" in text
    assert "£10.16 by cheque" in text


@pytest.mark.parametrize(
    "name", ['#read("/etc/passwd")', "=cmd()", "<script>alert(1)</script>", "*bold* $x$ \\n @ref"]
)
def test_a_hostile_name_is_only_an_odd_name(name):
    assert name in text_of(replace(PAYSLIP, person_name=name))


def test_a_name_cannot_reorder_what_follows_it():
    text = text_of(replace(PAYSLIP, person_name="Anna\u202eBell\x07"))
    assert "AnnaBell" in text


def test_a_letter_without_a_glyph_is_shown_by_its_code_point_and_not_lost():
    assert "[U+738B] Li" in text_of(replace(PAYSLIP, person_name="王 Li"))


def test_the_same_payslip_is_the_same_bytes_alone_or_in_a_batch():
    other = replace(PAYSLIP, person_name="Somebody Else")
    alone = render_payslips([PAYSLIP])[0]
    in_batch = render_payslips([other, PAYSLIP])[1]
    assert alone == in_batch
    assert alone != render_payslips([other])[0]


def test_the_files_date_is_the_pay_date_and_not_today():
    metadata = PdfReader(io.BytesIO(render_payslips([PAYSLIP])[0])).metadata
    assert metadata["/CreationDate"] == metadata["/ModDate"] == "D:20260508000000Z"


def test_the_file_is_tagged_and_archivable():
    pdf = PdfReader(io.BytesIO(render_payslips([PAYSLIP])[0]))
    assert pdf.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert b"pdfaid" in pdf.trailer["/Root"]["/Metadata"].get_data()


def test_only_bundled_fonts_are_embedded():
    fonts = PdfReader(io.BytesIO(render_payslips([PAYSLIP])[0])).pages[0]["/Resources"]["/Font"]
    names = {font.get_object()["/BaseFont"].split("+")[1].split("-")[0] for font in fonts.values()}
    assert names <= {"LibertinusSerif", "DejaVuSansMono"}


def test_a_payslip_with_nothing_optional_is_still_a_payslip():
    bare = replace(PAYSLIP, employer_contributions=(), to_date=(), earned=None, notes=())
    assert "£510.16" in text_of(bare)


def test_a_run_with_one_payslip_that_does_not_add_up_prints_none_and_names_it():
    wrong = replace(PAYSLIP, payslip_reference="NG-004118", net_minor=51017)
    with pytest.raises(InputRefused) as refusal:
        render_payslips([PAYSLIP, wrong])
    (problem,) = refusal.value.problems
    assert "NG-004118" in str(problem)
    assert problem.field == "net pay"


def test_sixty_lines_of_pay_run_over_onto_a_second_page():
    lines = [PayLine(f"Shift {i}", 480, 1450, 11600) for i in range(60)]
    long = replace(PAYSLIP, pay=lines, gross_minor=696000, net_minor=687574)
    text = text_of(long)
    assert "Page 2 of 2" in text
    assert all(f"Shift {i}" in text for i in range(60))
