"""E-invoices for the tests: one that is right, any that are, and where the official cases lie."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from lxml import etree

from engineroom.billing.formats import einvoice as model
from engineroom.billing.formats.arithmetic import RATED

VEFA = {"v": "http://difi.no/xsd/vefa/validator/1.0"}


def cases(shared: Path) -> Path:
    return shared / "formats" / "einvoice" / "visible"


def unit_tests(path: Path) -> list[tuple[etree._Element, set[str], set[str]]]:
    """(document, rules that pass, rules that fail) of each test in one of the official sets."""
    found = []
    for test in etree.parse(str(path)).getroot().iterfind("v:test", VEFA):
        said = test.find("v:assert", VEFA)
        documents = [each for each in test if isinstance(each.tag, str) and each is not said]
        if said is not None and documents:
            passes = {(each.text or "").strip() for each in said.iterfind("v:success", VEFA)}
            fails = {
                (each.text or "").strip()
                for name in ("error", "warning")
                for each in said.iterfind(f"v:{name}", VEFA)
            }
            found.append((documents[0], passes, fails))
    return found


SELLER = model.Party(
    name="Harbour Staffing Ltd",
    trading_name="Harbour",
    identifiers=(model.Identifier(value="5060012345678", scheme="0088"),),
    legal_id=model.Identifier(value="01234567"),
    vat_id="GB123456789",
    endpoint=model.Identifier(value="5060012345678", scheme="0088"),
    address=model.Address(line1="1 Quay Street", city="Bristol", post_code="BS1 4ST", country="GB"),
    contact_name="Bea",
    contact_email="bea@harbour.example",
)
BUYER = model.Party(
    name="Northgate Mills Ltd",
    legal_id=model.Identifier(value="07654321"),
    vat_id="GB987654321",
    endpoint=model.Identifier(value="987654321", scheme="9932"),
    address=model.Address(line1="9 Mill Lane", line3="Yard 2", city="Leeds", country="GB"),
)


def invoice(**changes: Any) -> model.Invoice:
    """Eight hours at 21.50 with VAT at 20%, for Peppol."""
    line = model.Line(
        id="1",
        quantity=Decimal("8"),
        unit="HUR",
        net=172_00,
        price=Decimal("21.50"),
        category="S",
        rate=Decimal("20"),
        name="Fork-lift driver",
    )
    made = model.Invoice(
        customization=model.PEPPOL_CUSTOMIZATION,
        profile=model.PEPPOL_PROFILE,
        number="INV-000001",
        issue_date=date(2026, 11, 22),
        due=date(2026, 12, 22),
        type_code="380",
        currency="GBP",
        purchase_order="PO-1",
        seller=SELLER,
        buyer=BUYER,
        payment_means=(model.PaymentMeans(code="30", account="GB33BUKB20201555555555"),),
        lines=(line,),
    )
    return totalled(replace(made, **changes))


REASONS = {"E": "exempt", "AE": "reverse charge", "K": "intra-community", "G": "export", "O": "outside scope"}


def totalled(one: model.Invoice, paid: int | None = None) -> model.Invoice:
    """With the totals and the VAT that its lines, allowances and charges make, figured here."""
    by: dict[tuple[str, Decimal | None], int] = {}
    for line in one.lines:
        by[line.category, line.rate] = by.get((line.category, line.rate), 0) + (line.net or 0)
    for sign, parts in ((-1, one.allowances), (1, one.charges)):
        for part in parts:
            by[part.category, part.rate] = by.get((part.category, part.rate), 0) + sign * (part.amount or 0)
    breakdown = []
    for (category, rate), taxable in by.items():
        exact = Fraction(taxable) * Fraction(rate or 0) / 100
        tax = int(abs(exact) + Fraction(1, 2)) * (-1 if exact < 0 else 1)
        breakdown.append(
            model.TaxBreakdown(
                taxable=taxable,
                tax=tax if category in RATED else 0,
                category=category,
                rate=rate,
                reason=REASONS.get(category, ""),
            )
        )
    lines = sum(line.net or 0 for line in one.lines)
    allowances = sum(each.amount or 0 for each in one.allowances) if one.allowances else None
    charges = sum(each.amount or 0 for each in one.charges) if one.charges else None
    net = lines - (allowances or 0) + (charges or 0)
    tax = sum(each.tax or 0 for each in breakdown)
    totals = model.Totals(
        lines=lines,
        net=net,
        gross=net + tax,
        allowances=allowances,
        charges=charges,
        paid=paid,
        payable=net + tax - (paid or 0),
    )
    return replace(one, tax=model.TaxTotal(tax=tax, breakdown=tuple(breakdown)), totals=totals)


WORD = st.sampled_from(
    [
        "x",
        "Fork-lift",
        "Zoë & Søn <GmbH>",
        "#",
        "#ABC",
        "two  spaces",
        "\u4eba\u624b 8 h",
        "\"quoted'",
        "]]>",
        "0",
        "&amp;",
    ]
)
DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))
CATEGORIES = st.sampled_from(
    [
        ("S", Decimal("20")),
        ("S", Decimal("5")),
        ("Z", Decimal("0")),
        ("E", Decimal("0")),
        ("AE", Decimal("0")),
    ]
)


@st.composite
def lines(draw: st.DrawFn, number: int) -> model.Line:
    category, rate = draw(CATEGORIES)
    quantity = Decimal(draw(st.integers(-5000, 50_000))) / 100
    price = Decimal(draw(st.integers(0, 1_000_000))) / 10_000
    exact = Fraction(quantity) * Fraction(price) * 100
    net = int(abs(exact) + Fraction(1, 2)) * (-1 if exact < 0 else 1)
    start = draw(st.none() | DAYS)
    return model.Line(
        id=str(number),
        note=draw(st.just("") | WORD),
        quantity=quantity,
        unit=draw(st.sampled_from(["HUR", "C62", "DAY"])),
        net=net,
        order_line=draw(st.just("") | WORD),
        period_start=start,
        period_end=start and start + timedelta(days=6),
        price=price,
        category=category,
        rate=rate,
        name=draw(WORD),
        description=draw(st.just("") | WORD),
        seller_item=draw(st.just("") | WORD),
        attributes=draw(st.just(()) | WORD.map(lambda text: (model.ItemAttribute(name="week", value=text),))),
    )


@st.composite
def invoices(draw: st.DrawFn) -> model.Invoice:
    """Any invoice or credit note that adds up."""
    count = draw(st.integers(1, 5))
    some = tuple(draw(lines(number)) for number in range(1, count + 1))
    category, rate = some[0].category, some[0].rate
    part = st.builds(
        model.AllowanceCharge,
        amount=st.integers(0, 10_000),
        category=st.just(category),
        rate=st.just(rate),
        reason=WORD,
    )
    note = st.builds(
        model.Note, text=WORD.map(lambda text: text.replace("#", "")), subject_code=st.just("AAI")
    )
    return totalled(
        invoice(
            number=draw(WORD),
            issue_date=draw(DAYS),
            due=draw(DAYS),
            type_code=draw(st.sampled_from(["380", "381", "384", "389", "396"])),
            notes=draw(st.just(()) | note.map(lambda each: (each,))),
            tax_point=draw(st.none() | DAYS),
            project=draw(st.just("") | WORD),
            tender=draw(st.just("") | WORD),
            contract=draw(st.just("") | WORD),
            preceding=draw(
                st.just(())
                | WORD.map(
                    lambda text: (model.PrecedingInvoice(number=text), model.PrecedingInvoice(number="2"))
                )
            ),
            invoiced_object=draw(st.none() | WORD.map(lambda text: model.Identifier(value=text))),
            supporting=draw(
                st.just(())
                | st.binary(min_size=1, max_size=50).map(
                    lambda content: (
                        model.SupportingDocument(
                            reference="T", content=content, media_type="application/pdf", file_name="t.pdf"
                        ),
                    )
                )
            ),
            allowances=tuple(draw(st.lists(part, max_size=2))),
            charges=tuple(draw(st.lists(part, max_size=2))),
            lines=some,
        ),
        paid=draw(st.none() | st.integers(0, 5000)),
    )
