"""The invoice: holds everything the VAT regulations list, runs over pages, takes any name as text."""

import io
from dataclasses import replace
from datetime import date

import pytest
from pypdf import PdfReader

from engineroom.billing.documents import InvoiceDocument, InvoiceLine, PaymentDetail, VatLine, render_invoices
from engineroom.kernel.errors import InputRefused
from engineroom.ui.display import format_duration

INVOICE = InvoiceDocument(
    supplier_name="Northgate Temps Ltd",
    supplier_address=["Unit 4, Canal Wharf", "Leeds", "LS11 5PS"],
    supplier_vat_number="GB 123 4567 82",
    customer_name="Brindle Care Homes plc",
    customer_address=["81 Harrow Road", "Sheffield", "S1 2AB"],
    invoice_number="NG-2026-0391",
    issue_date=date(2026, 5, 7),
    tax_point=date(2026, 5, 6),
    due_date=date(2026, 6, 6),
    period_from=date(2026, 4, 27),
    period_to=date(2026, 5, 3),
    order_number="PO-88213",
    lines=[
        InvoiceLine("Tomasz Wiśniewski", "Warehouse operative", "basic", 2250, 2015, 75563, 200_000),
        InvoiceLine("Priya Natarajan", "Warehouse operative", "basic", 2400, 2015, 80600, 200_000),
        InvoiceLine("Tomasz Wiśniewski", "Warehouse operative", "overtime", 240, 3023, 12092, 200_000),
        InvoiceLine("", "Safety course", "training", None, 4500, 9000, None, 2),
    ],
    vat=[
        VatLine(200_000, 168255, 33651),
        VatLine(None, 9000, 0, "Exempt: education, VAT Act 1994 Sch 9 Group 6"),
    ],
    net_minor=177255,
    vat_minor=33651,
    gross_minor=210906,
    pay_to=[PaymentDetail("Sort code", "20-00-00"), PaymentDetail("Account number", "00004417")],
    held_note="12.5 hours are held: over order PO-88213",
    notes=["Queries: quote the invoice number."],
)


def pages_of(document: InvoiceDocument) -> list[str]:
    (pdf,) = render_invoices([document])
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]


def text_of(document: InvoiceDocument) -> str:
    return "\n".join(pages_of(document))


@pytest.fixture(scope="module")
def text() -> str:
    return text_of(INVOICE)


@pytest.mark.parametrize(
    ("required", "shown"),
    [
        ("unique sequential number", ["NG-2026-0391"]),
        ("time of supply", ["Tax point", "6 May 2026", "27 Apr to 3 May 2026"]),
        ("date of issue", ["Issued", "7 May 2026"]),
        ("supplier", ["Northgate Temps Ltd", "Unit 4, Canal Wharf", "LS11 5PS", "GB 123 4567 82"]),
        ("customer", ["Brindle Care Homes plc", "81 Harrow Road", "S1 2AB"]),
        (
            "line",
            ["Warehouse operative, basic", "37.50 h", "20.15", "20%", "755.63", "Safety course", "exempt"],
        ),
        ("total without VAT", ["Total without VAT", "1,772.55"]),
        ("cash discount", ["Cash discount: none offered"]),
        ("VAT per rate", ["1,682.55", "336.51", "Total VAT"]),
        ("reason for no VAT", ["Exempt: education, VAT Act 1994 Sch 9"]),
        ("what to pay, how, by when", ["£2,109.06", "6 Jun 2026", "20-00-00", "00004417"]),
        ("the order and what is held", ["PO-88213", "12.5 hours are held: over order PO-88213"]),
    ],
)
def test_an_invoice_shows_what_the_vat_regulations_ask_for(text, required, shown):
    assert [item for item in shown if item not in text] == []


def test_lines_of_one_person_stand_together_under_the_name_with_their_sum(text):
    tomasz, priya = text.index("Tomasz Wiśniewski"), text.index("Priya Natarajan")
    assert text.count("Tomasz Wiśniewski") == 1
    assert tomasz < text.index("overtime") < priya
    assert "876.55" in text


def test_a_hundred_and_fifty_lines_page_and_repeat_their_heading():
    lines = [
        InvoiceLine(f"Person {i // 3}", "Operative", f"shift {i}", 480, 1000, 8000, 200_000)
        for i in range(150)
    ]
    vat = [VatLine(200_000, 1_200_000, 240_000)]
    long = replace(
        INVOICE, lines=lines, vat=vat, net_minor=1_200_000, vat_minor=240_000, gross_minor=1_440_000
    )
    pages = pages_of(long)
    count = len(pages)
    assert count >= 4
    assert all(f"Page {number} of {count}" in page for number, page in enumerate(pages, 1))
    assert all("Unit price" in page for page in pages if "shift" in page)
    assert all(any(f"shift {i}" in page for page in pages) for i in range(150))


@pytest.mark.parametrize("name", ['#read("/etc/passwd")', "=cmd()", "<script>alert(1)</script>"])
def test_a_hostile_name_is_only_an_odd_name(name):
    lines = [line._replace(person=name) for line in INVOICE.lines]
    text = text_of(replace(INVOICE, customer_name=name, lines=lines))
    assert text.count(name) == 2


def test_the_same_invoice_is_the_same_bytes():
    assert render_invoices([INVOICE]) == render_invoices([INVOICE])


def test_a_foreign_invoice_states_its_vat_in_sterling():
    euro = replace(INVOICE, currency="EUR", vat_sterling_minor=28940)
    text = text_of(euro)
    assert "€2,109.06" in text
    assert "VAT in sterling" in text
    assert "£289.40" in text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"supplier_vat_number": " "}, "supplier VAT number"),
        ({"customer_address": ()}, "customer address"),
        ({"invoice_number": ""}, "invoice number"),
        ({"vat": [VatLine(200_000, 168255, 33651), VatLine(None, 9000, 0)]}, "VAT summary"),
        ({"currency": "EUR"}, "VAT in sterling"),
        ({"gross_minor": 210907}, "gross"),
        ({"vat": [VatLine(200_000, 177255, 33651)]}, "net at 20%"),
    ],
)
def test_an_invoice_the_law_would_not_take_is_refused_by_name(change, field):
    with pytest.raises(InputRefused) as refusal:
        render_invoices([replace(INVOICE, **change)])
    assert field in {problem.field for problem in refusal.value.problems}


def test_a_credit_note_says_what_it_is():
    lines = [line._replace(net_minor=-line.net_minor, rate_minor=-line.rate_minor) for line in INVOICE.lines]
    vat = [line._replace(net_minor=-line.net_minor, vat_minor=-line.vat_minor) for line in INVOICE.vat]
    credit = replace(
        INVOICE,
        title="Credit note",
        lines=lines,
        vat=vat,
        net_minor=-177255,
        vat_minor=-33651,
        gross_minor=-210906,
    )
    text = text_of(credit)
    assert "Credit note" in text
    assert "−£2,109.06" in text
    assert "To pay by" not in text


@pytest.mark.parametrize(
    ("minutes", "said"), [(2250, "37.50 h"), (2200, "36 h 40 min"), (-40, "-0 h 40 min"), (60, "1.00 h")]
)
def test_hours_have_their_unit_once(minutes: int, said: str) -> None:
    assert format_duration(minutes) == said
