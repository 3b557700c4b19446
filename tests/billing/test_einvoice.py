"""E-invoices: nothing is lost on the way through the record, and ours is the official arithmetic."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from engineroom.billing.formats import arithmetic, reading, ubl
from engineroom.billing.formats import einvoice as model
from engineroom.billing.formats.binding import parse_hundredths
from engineroom.kernel.errors import InputRefused
from tests.billing.einvoices import cases, invoice, invoices, totalled, unit_tests


def received(content: bytes) -> reading.Received:
    return reading.receive(content, file_name="invoice.xml")


# --- published documents ------------------------------------------------------------------------------------

WHOLE_DOCUMENTS = (
    "en16931-examples-ubl",
    "en16931-examples-cii",
    "peppol-examples",
    "xrechnung-testsuite",
    "zugferd-corpus-xml",
)
BEYOND_THE_MODEL = ("SubInvoiceLine", "PrepaidPayment", "schemaLocation")
"""What XRechnung's extension has and EN 16931 has not."""


def leaves(root: etree._Element) -> Counter[tuple[str, str]]:
    """Every value of a document with its path, numbers as numbers."""
    found: Counter[tuple[str, str]] = Counter()

    def put(path: str, text: str) -> None:
        text = text.strip()
        if path.endswith("ChargeIndicator"):
            text = {"1": "true", "0": "false"}.get(text, text)
        try:
            text = format(Decimal(text).normalize(), "f")
        except ArithmeticError:
            text = "".join(text.split())
        if text:
            found[path, text] += 1

    def walk(element: etree._Element, above: str) -> None:
        path = f"{above}/{etree.QName(element).localname}"
        if not len(element):
            put(path, element.text or "")
        for name, value in element.attrib.items():
            if (element.text or "").strip():
                put(f"{path}/@{name}", str(value))
        for child in element.iterchildren(tag=etree.Element):
            walk(child, path)

    walk(root, "")
    return found


@pytest.mark.parametrize("folder", WHOLE_DOCUMENTS)
def test_official_documents_lose_nothing_through_the_record(shared: Path, folder: str) -> None:
    paths = sorted((cases(shared) / folder).glob("*.xml"))
    assert paths
    for path in paths:
        one = received(path.read_bytes())
        assert not one.findings, (path.name, one.findings)
        again = received(ubl.write_document(one.invoice))
        assert again.invoice == as_ubl_has_it(one.invoice), path.name
        if one.syntax != "CII":
            lost = leaves(one.root) - leaves(again.root)
            assert not [at for at in lost if not any(name in at[0] for name in BEYOND_THE_MODEL)], path.name


def as_ubl_has_it(one: model.Invoice) -> model.Invoice:
    """UBL asks what a tax registration is of; CII does not say."""
    if one.seller and one.seller.tax_registration and not one.seller.tax_scheme:
        return replace(one, seller=replace(one.seller, tax_scheme=ubl.NO_SCHEME))
    return one


@pytest.mark.parametrize("folder", WHOLE_DOCUMENTS[:4])
def test_official_examples_add_up(shared: Path, folder: str) -> None:
    for path in sorted((cases(shared) / folder).glob("*.xml")):
        wrong = [f for f in arithmetic.check(received(path.read_bytes()).invoice) if f.severity == "fatal"]
        if "extension" not in path.name:  # its own rules for its own parts
            assert not wrong, (path.name, wrong)


@pytest.mark.parametrize("folder", ["en16931-unit-ubl-invoice", "en16931-unit-ubl-creditnote", "peppol-unit"])
def test_our_arithmetic_gives_the_verdict_of_the_official_unit_tests(shared: Path, folder: str) -> None:
    compared = 0
    for path in sorted((cases(shared) / folder).glob("*.xml")):
        for number, (document, passes, fails) in enumerate(unit_tests(path), start=1):
            asked = (passes | fails) & arithmetic.COVERED
            if not asked or is_no_allowance(document):
                continue
            one = received(etree.tostring(document))
            found = {f.rule for f in arithmetic.check(one.invoice, peppol=True) if f.severity == "fatal"}
            if one.findings:  # the record has once what is said twice: refused before anything is computed
                assert fails
                continue
            compared += len(asked)
            assert found & asked == fails & asked, f"{path.name}, test {number}"
    assert compared


def is_no_allowance(document: etree._Element) -> bool:
    """Some fragments have an AllowanceCharge that is neither, which the schema refuses."""
    for name in ("AllowanceCharge", "SpecifiedTradeAllowanceCharge"):
        for each in document.iterfind(f".//{{*}}{name}"):
            if each.find("{*}ChargeIndicator") is None:
                return True
    return False


# --- any document -------------------------------------------------------------------------------------------


@given(invoices())
@settings(max_examples=60, deadline=None)
def test_any_invoice_comes_back_from_ubl_as_it_was(one: model.Invoice) -> None:
    again = received(ubl.write_document(one))
    assert again.invoice == one
    assert not again.findings
    assert again.syntax == ("UBL CreditNote" if one.type_code in ("381", "396") else "UBL Invoice")


@given(invoices())
@settings(max_examples=60, deadline=None)
def test_any_invoice_that_adds_up_is_found_right(one: model.Invoice) -> None:
    assert arithmetic.check(one) == []


TOTALS = {
    "lines": "BR-CO-10",
    "allowances": "BR-CO-11",
    "charges": "BR-CO-12",
    "net": "BR-CO-13",
    "gross": "BR-CO-15",
    "payable": "BR-CO-16",
}


@given(invoices(), st.sampled_from(sorted(TOTALS)), st.integers(1, 10**9), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_total_that_lies_is_named_with_what_it_should_be(
    one: model.Invoice, name: str, by: int, more: bool
) -> None:
    assert one.totals is not None
    right = getattr(one.totals, name) or 0
    said = right + (by if more else -by)
    found = arithmetic.check(replace(one, totals=replace(one.totals, **{name: said})))
    finding = next(f for f in found if f.rule == TOTALS[name])
    assert finding.severity == "fatal"
    assert (parse_hundredths(finding.said), parse_hundredths(finding.should)) == (said, right)


def test_a_line_that_lies_is_named() -> None:
    one = invoice()
    lying = totalled(replace(one, lines=(replace(one.lines[0], net=172_03),)))
    assert [(f.rule, f.where, f.said, f.should) for f in arithmetic.check(lying)] == [
        ("PEPPOL-EN16931-R120", "line 1", "172.03", "172.00")
    ]


def test_vat_within_what_the_official_rule_tolerates_is_a_warning() -> None:
    one = invoice()
    assert one.tax is not None
    by_two = replace(one.tax.breakdown[0], tax=34_42)
    found = arithmetic.check(replace(one, tax=replace(one.tax, breakdown=(by_two,))))
    severities = {f.rule: f.severity for f in found}
    assert severities["BR-S-09"] == severities["BR-CO-17"] == "warning"
    assert severities["BR-CO-14"] == "fatal"


def test_every_amount_of_the_record_is_a_whole_number() -> None:
    """No float comes near: what is money is int, what is a price or a quantity is Decimal."""

    def walk(value: object) -> None:
        assert not isinstance(value, float)
        if is_dataclass(value):
            for each in fields(value):
                walk(getattr(value, each.name))
        elif isinstance(value, tuple):
            for each in value:
                walk(each)

    walk(received(ubl.write_document(invoice())).invoice)


# --- what strangers send ------------------------------------------------------------------------------------


def refusal(content: bytes) -> str:
    with pytest.raises(InputRefused) as refused:
        received(content)
    return str(refused.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"<Invoice>", "not well-formed"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04", "ZIP"),
        (b"<html/>", "named html"),
        (b"\x1f\x8b\x08 not gzip", "gzip"),
        (gzip.compress(b"<a/>" * 1000, mtime=0)[:30], "gzip"),
        (b"<Invoice xmlns='urn:oasis:names:specification:ubl:schema:xsd:Order-2'/>", "named Invoice"),
        (b"<a>" * 300 + b"</a>" * 300, "depth"),
    ],
)
def test_what_is_no_invoice_is_refused_by_what_it_is(content: bytes, says: str) -> None:
    assert says in refusal(content)


@pytest.mark.parametrize(
    "subset",
    [
        '<!ENTITY x SYSTEM "file:///etc/passwd">',
        '<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;',
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;"><!ENTITY x "&b;&b;&b;&b;&b;">',
        "",
    ],
)
def test_a_doctype_is_refused_and_nothing_is_fetched(subset: str) -> None:
    written = ubl.write_document(invoice(number="CHANGED")).decode().split("?>", 1)[1]
    evil = f"<!DOCTYPE Invoice [{subset}]>{written.replace('CHANGED', '&x;' if subset else 'y')}"
    for content in (evil.encode(), evil.encode("utf-16")):
        assert "DOCTYPE" in refusal(content)


class Endless(io.RawIOBase):
    """200 MB of spaces, which count what was taken of them."""

    taken = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert size > 0
        self.taken += size
        return b" " * size if self.taken < 200 * 1024**2 else b""


def test_200_mb_are_refused_before_they_are_read() -> None:
    stream = Endless()
    with pytest.raises(InputRefused, match="more than 20 MB"):
        reading.receive(stream, file_name="large.xml")  # type: ignore[arg-type]
    assert stream.taken < 21 * 1024**2


def test_a_gzip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = gzip.compress(b" " * (40 * 1024**2), compresslevel=1)
    assert len(bomb) < 1024**2
    assert "more than 20 MB" in refusal(bomb)


def test_a_gzip_file_is_read() -> None:
    one = invoice()
    assert received(gzip.compress(ubl.write_document(one))).invoice == one


def test_what_is_not_of_its_kind_is_said_with_its_place() -> None:
    written = ubl.write_document(invoice())
    wrong = written.replace(b">172.00<", b">172.001<", 1).replace(b">2026-12-22<", b">soon<")
    found = {f.rule: f for f in received(wrong).findings}
    assert "more than two decimals" in found["BR-DEC"].text
    assert found["BR-DEC"].where.endswith("TaxTotal/TaxSubtotal/TaxableAmount")
    assert found["READ"].where == "/Invoice/DueDate"


def test_an_amount_of_another_currency_is_said() -> None:
    wrong = ubl.write_document(invoice()).replace(b'currencyID="GBP"', b'currencyID="EUR"', 1)
    assert [f.rule for f in received(wrong).findings] == ["PEPPOL-EN16931-R051"]


@given(st.binary(max_size=200), st.integers(0, 3000))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_an_invoice_or_refused(noise: bytes, at: int) -> None:
    written = ubl.write_document(invoice())
    try:
        received(written[:at] + noise + written[at + len(noise) :])
    except InputRefused as refused:
        assert refused.problems
