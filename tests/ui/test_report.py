"""The run report: complete in one file, figures as given, totals as summed, alarm only for money at risk."""

import math
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from lxml import html

import engineroom.ui
from engineroom.ui.charts import Bar
from engineroom.ui.display import Figure
from engineroom.ui.report import (
    Check,
    CustomerMargin,
    ExceptionRow,
    FileRow,
    HeldRow,
    LedgerRow,
    OpenItemRow,
    PaymentFile,
    PersonRow,
    RunReport,
    Signature,
    render_report,
)

PEOPLE = [
    PersonRow(f"NG-{i:04d}", f"Person {i}", 2250, 54375 + i, 6020, 2406, 0, 1511, 44438 + i, "Paid")
    for i in range(60)
]
REPORT = RunReport(
    firm="Harbour Payroll Bureau",
    client="Northgate Temps Ltd",
    run_number="2026-W05",
    pay_date=date(2026, 5, 8),
    made_at=datetime(2026, 5, 6, 16, 32, tzinfo=UTC),
    signatures=[Signature("Prepared", "Asha Rao", datetime(2026, 5, 6, 14, 2, tzinfo=UTC))],
    totals=[Figure("Net pay", 2668050)],
    steps=[Bar("Gross pay", 54375, "total"), Bar("Income tax", 6020, "down"), Bar("Net pay", 48355, "total")],
    people=PEOPLE,
    margins=[
        CustomerMargin("Brindle Care", 9000, 312345, 24188, 217500, 40100, 54745, 175271),
        CustomerMargin("Cole Joinery", 600, 10000, 0, 9000, 2000, -1000, -100000),
    ],
    held=[HeldRow("Brindle Care", "Person 2", date(2026, 4, 28), 480, 16120, "Over order PO-88213")],
    payment_files=[
        PaymentFile(
            name="bacs-0147.txt",
            credits=59,
            total_minor=2623612,
            submit_by=datetime(2026, 5, 6, 22, 30, tzinfo=UTC),
            processing_day=date(2026, 5, 7),
            entry_day=date(2026, 5, 8),
            sha256="ab" * 32,
            unverified_fields=["UHL1 work code"],
        )
    ],
    ledger=[LedgerRow("7000", "Wages", 54375, 0), LedgerRow("2220", "Net pay payable", 0, 54375)],
    open_items=[OpenItemRow("PAYE and NIC due", "HMRC", "123PA", date(2026, 5, 22), 745523)],
    exceptions=[ExceptionRow("look", "Person 7", "Bank details changed", "Confirm by phone")],
    checks=[Check("Control account = sub-ledger", True, "both 543.75")],
    files=[FileRow("payslips.zip", 3420112, "cd" * 32, "60 payslips")],
    notes=["Week 18."],
)


@pytest.fixture(scope="module")
def page() -> str:
    return render_report(REPORT)


def words(page: str) -> str:
    return " ".join(html.fromstring(page).xpath("//body")[0].text_content().split())


def cells(page: str, section: str, part: str = "tbody") -> list[list[str]]:
    rows = html.fromstring(page).xpath(f"//section[@id='{section}']//{part}/tr")
    return [[" ".join(cell.text_content().split()) for cell in row.xpath("td")] for row in rows]


def test_the_report_asks_nobody_for_anything(page):
    assert not re.search(r"https?://|\bsrc\s*=|@import|url\(|<script|<link|<iframe|\bon\w+\s*=", page)
    assert "default-src 'none'" in page
    assert {a for a in html.fromstring(page).xpath("//a/@href") if not a.startswith("#")} == set()


def test_every_link_of_the_index_leads_to_a_section(page):
    document = html.fromstring(page)
    ids = document.xpath("//@id")
    assert {a[1:] for a in document.xpath("//a/@href")} <= set(ids)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    "item",
    [
        "Harbour Payroll Bureau", "Northgate Temps Ltd", "2026-W05", "Fri 8 May 2026",
        "6 May 2026, 16:32 UTC", "Asha Rao", "6 May 2026, 14:02 UTC", "£26,680.50", "bacs-0147.txt", "59",
        "26,236.12", "6 May 2026, 22:30 UTC", "Thu 7 May 2026", "ab" * 32, "UHL1 work code",
        "PAYE and NIC due", "7,455.23", "Confirm by phone", "Control account = sub-ledger", "both 543.75",
        "payslips.zip", "3,420,112", "Week 18.", "All 1 checks hold",
    ],
)  # fmt: skip
def test_the_report_shows(page, item):
    assert item in words(page)


def test_a_persons_row_holds_the_figures_given(page):
    assert cells(page, "people")[3] == [
        "NG-0003", "Person 3", "37.50", "543.78", "60.20", "24.06", "–", "15.11", "444.41", "Paid",
    ]  # fmt: skip


def test_totals_are_the_sums_of_their_rows(page):
    (foot,) = cells(page, "people", "tfoot")
    assert foot == [
        "Total",
        "",
        "2,250.00",
        "32,642.70",
        "3,612.00",
        "1,443.60",
        "0.00",
        "906.60",
        "26,680.50",
        "",
    ]
    (foot,) = cells(page, "margin", "tfoot")
    assert foot == ["Total", "160.00", "3,223.45", "241.88", "2,265.00", "421.00", "537.45", ""]


def test_a_margin_row_holds_the_figures_given(page):
    assert cells(page, "margin")[0] == [
        "Brindle Care", "150.00", "3,123.45", "241.88", "2,175.00", "401.00", "547.45", "17.5271%",
    ]  # fmt: skip


def test_a_negative_tax_keeps_its_sign():
    page = render_report(replace(REPORT, people=[PEOPLE[0]._replace(tax_minor=-4200)]))
    assert cells(page, "people")[0][4] == "-42.00"
    assert "1 with tax refunded" in words(page)


def test_money_is_right_aligned_in_tabular_figures(page):
    document = html.fromstring(page)
    figures = [
        td for td in document.xpath("//td") if re.fullmatch(r"-?[\d,]+\.\d\d", td.text_content().strip())
    ]
    assert len(figures) > 300
    assert all("num" in td.get("class").split() for td in figures)
    assert "tabular-nums" in page


def test_alarm_is_only_for_money_at_risk(page):
    at_risk = {
        td.text_content().strip() for td in html.fromstring(page).xpath("//td[contains(@class, 'risk')]")
    }
    assert at_risk == {"241.88", "161.20", "-10.00", "-10%"}


def test_a_failing_check_or_a_stop_is_said_first():
    broken = replace(
        REPORT,
        checks=[Check("Debits = credits", False, "0.01 over"), *REPORT.checks],
        exceptions=[ExceptionRow("stop", "Person 9", "No bank account", "Ask the client")],
    )
    page = render_report(broken)
    assert "Checks failing: 1 of 2; 1 exception stops the run" in words(page)
    assert cells(page, "checks")[0] == ["Fails", "Debits = credits", "0.01 over"]
    assert cells(page, "exceptions") == [["Stops the run", "Person 9", "No bank account", "Ask the client"]]


def test_a_ledger_out_of_balance_says_so():
    page = render_report(replace(REPORT, ledger=[LedgerRow("7000", "Wages", 54375, 0)]))
    assert "Out of balance by 543.75" in words(page)


def captions(page: str) -> dict[str, str]:
    sections = html.fromstring(page).xpath("//section[header/p]")
    return {s.get("id"): " ".join(s.xpath("string(header/p)").split()) for s in sections}


def test_what_changes_after_a_run_says_of_when_it_is(page):
    said = captions(page)
    for section in ("held", "ledger", "open", "exceptions", "checks"):
        assert said[section].lower().endswith("as of 6 may 2026, 16:32 utc"), section
    dated = captions(render_report(replace(REPORT, ledger_as_at=REPORT.pay_date)))
    assert dated["ledger"] == "Debits equal credits; as at Fri 8 May 2026"


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "=cmd()", "{{ 7|add:7 }}"]
)
def test_a_hostile_name_is_only_an_odd_name(name):
    page = render_report(
        replace(REPORT, people=[PEOPLE[0]._replace(name=name)], client=name, steps=[Bar(name, 1, "total")])
    )
    assert cells(page, "people")[0][1] == name
    assert html.fromstring(page).xpath("//script | //img") == []


def test_a_section_without_rows_does_not_appear():
    page = render_report(replace(REPORT, held=(), margins=(), payment_files=()))
    assert html.fromstring(page).xpath("//*[@id='held' or @id='margin' or @id='payment']") == []


def test_the_same_report_is_the_same_text(page):
    assert render_report(REPORT) == page


def test_sixty_people_fit_in_a_hundred_kilobytes(page):
    assert len(page.encode()) < 100_000


# --- The tokens the report is drawn with ----------------------------------------------------------


def linear_rgb(lightness: float, chroma: float, hue: float) -> list[float]:
    """oklch to linear sRGB (Ottosson, "A perceptual color space for image processing", 2020)."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    l3 = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m3 = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s3 = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    rows = [
        (4.0767416621, -3.3077115913, 0.2309699292),
        (-1.2684380046, 2.6097574011, -0.3413193965),
        (-0.0041960863, -0.7034186147, 1.7076147010),
    ]
    return [min(1.0, max(0.0, x * l3 + y * m3 + z * s3)) for x, y, z in rows]


def contrast(one: list[float], other: list[float]) -> float:
    """WCAG 2.2 contrast ratio."""
    luminances = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (one, other))
    return (luminances[1] + 0.05) / (luminances[0] + 0.05)


def themes() -> dict[str, tuple[list[float], list[float]]]:
    css = (Path(engineroom.ui.__file__).parent / "static/ui/tokens.css").read_text(encoding="utf-8")
    colour = r"oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)"
    found = re.findall(
        rf"--(\w+):\s+light-dark\({colour},\s+{colour}\)", css.replace("oklch(1 0 0)", "oklch(1 0 0.0)")
    )
    return {
        name: (linear_rgb(*map(float, parts[:3])), linear_rgb(*map(float, parts[3:])))
        for name, *parts in found
    }


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("surface", ["paper", "panel", "sunk", "tint"])
@pytest.mark.parametrize("text", ["ink", "muted", "accent", "good", "alarm"])
def test_text_is_legible_on_every_surface_in_both_themes(text, surface, theme):
    tokens = themes()
    assert contrast(tokens[text][theme], tokens[surface][theme]) >= 4.5
