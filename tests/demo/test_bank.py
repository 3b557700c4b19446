"""The bank of the sample: statements that foot, that the reader takes, and that clear as they should."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest
from lxml import etree

from engineroom.demo import bank
from engineroom.demo.sample import NORTHGATE_ACCOUNT
from engineroom.kernel.calendar import calendar
from engineroom.settlement.engine import matching
from engineroom.settlement.formats import camt053, record

SHARED = Path(os.environ.get("ENGINEROOM_SHARED", Path(__file__).parents[2].parent / "shared"))
SCHEMA = SHARED / "formats/iso20022/common/xsd/xsd__cash_management__camt.053__camt.053.001.08.xsd"

PAY_DATE, RETURN_DAY = date(2026, 11, 27), date(2026, 12, 1)
BATCH = bank.BatchFacts("ER000001", 28_114_07, PAY_DATE)
RETURNED = bank.ReturnedFacts("ER000001 00052", 412_33, RETURN_DAY, "HEATHER STOBBART")
INVOICES = [
    bank.InvoiceFacts(f"INV-{n:06d}", 1_234_56 * n, customer)
    for n, customer in enumerate(
        ["Alder & Finch Catering Ltd", "Brightwell Distribution plc", "Café Mérida Group Ltd",
         "Cedar Court Care Homes Ltd", "Ferris Engineering (Penrith) Ltd", "Harbourside Cold Stores Ltd"], 1
    )
]  # fmt: skip
OPENING = 250_000_00


@pytest.fixture
def statement(tmp_path: Path) -> Path:
    return write(tmp_path / "statement.xml")


def write(path: Path, opening_minor: int = OPENING) -> Path:
    return bank.write_statement(
        path,
        account=NORTHGATE_ACCOUNT,
        batch=BATCH,
        returned=[RETURNED],
        receipts=bank.customers_pay(INVOICES, RETURN_DAY),
        opening_minor=opening_minor,
    )


def read(path: Path) -> tuple[record.Statement, list[record.Line]]:
    with path.open("rb") as stream:
        [found] = [
            (s, list(s.lines)) for s in camt053.read(stream, file_name=path.name, expected_currency="GBP")
        ]
    return found


def test_the_reader_takes_the_statement_without_a_warning_and_it_foots(statement: Path) -> None:
    head, lines = read(statement)
    assert head.problems == []
    assert head.account.iban == NORTHGATE_ACCOUNT.iban
    assert (head.period_start, head.period_end) == (PAY_DATE, date(2026, 12, 8))
    assert head.opening_minor == OPENING
    assert head.closing_minor == OPENING + sum(line.amount_minor for line in lines)
    assert all(line.is_booked for line in lines)
    days = [line.booking_date for line in lines if line.booking_date]
    assert days == sorted(days) and len(days) == len(lines) == 8


def test_an_overdrawn_account_foots_too(tmp_path: Path) -> None:
    head, _ = read(write(tmp_path / "overdrawn.xml", opening_minor=-5_000_00))
    assert head.opening_minor == -5_000_00
    assert head.problems == []


@pytest.mark.skipif(not SCHEMA.exists(), reason="the ISO 20022 schemas are not here")
def test_the_statement_is_valid_against_the_schema(statement: Path) -> None:
    schema = etree.XMLSchema(etree.parse(SCHEMA))
    schema.assertValid(etree.parse(statement))


def test_the_same_facts_give_the_same_bytes(statement: Path, tmp_path: Path) -> None:
    assert write(tmp_path / "again.xml").read_bytes() == statement.read_bytes()


def test_every_line_has_a_bank_reference_of_its_own_that_begins_with_letters(statement: Path) -> None:
    references = [line.account_servicer_reference or "" for line in read(statement)[1]]
    assert len(set(references)) == len(references)
    assert all(reference[:2].isalpha() for reference in references)


def test_the_batch_is_one_debit_line_that_names_it(statement: Path) -> None:
    [debit] = [line for line in read(statement)[1] if not line.is_credit]
    assert (debit.amount_minor, debit.booking_date) == (-BATCH.total_minor, PAY_DATE)
    assert debit.transaction.payment_information_id == "ER000001"
    assert debit.additional_information == "BACS CREDITS ER000001"


def test_the_returned_payment_says_which_it_was_and_why(statement: Path) -> None:
    [back] = [line for line in read(statement)[1] if line.transaction.is_return]
    assert (back.amount_minor, back.booking_date) == (RETURNED.amount_minor, RETURN_DAY)
    assert back.transaction.original_end_to_end_id == "ER000001 00052"
    assert back.transaction.return_reason == "AC04"
    assert back.transaction.counterparty_name == "HEATHER STOBBART"


def test_customers_pay_on_banking_days_in_five_ways_and_somebody_unknown_pays_too() -> None:
    receipts = bank.customers_pay(INVOICES, date(2026, 12, 5))  # a Saturday
    assert [r.day for r in receipts] == [date(2026, 12, d) for d in (7, 8, 9, 10, 11, 14)]
    assert all(calendar("ENG").is_banking_day(r.day) for r in receipts)
    assert [r.remittance for r in receipts] == [
        "INV-000001",
        "INV-000002 part, query on hours",
        "pymt inv 000003",
        "temp staff wk 47",
        "YOUR INVOICE INV-000005",
        "deposit refund",
    ]
    assert receipts[1].amount_minor < INVOICES[1].gross_minor
    assert len(bank.customers_pay(INVOICES[:1], RETURN_DAY)) == 2


def test_the_lines_clear_by_the_rules_they_are_written_for(statement: Path) -> None:
    """Lines as the clearing room hands them to the matcher; one stays a question."""
    candidates = [
        matching.Candidate("batch", uuid4(), "ER000001", -BATCH.total_minor, "GBP", "", PAY_DATE),
        matching.Candidate("payment", uuid4(), "ER000001 00051", 412_33, "GBP"),
        matching.Candidate("payment", uuid4(), "ER000001 00052", 412_33, "GBP"),
        *(
            matching.Candidate("invoice", uuid4(), i.number, i.gross_minor, "GBP", i.customer)
            for i in INVOICES
        ),
    ]
    outcome = matching.match([to_match(line) for line in read(statement)[1]], candidates)
    assert [s.rule for s in outcome.settled] == [
        "batch by reference",
        "returned payment",
        "invoice by number",
        "invoice in part",
        "invoice by number",
        "amount and customer",
        "invoice by number",
    ]
    [returned] = [s for s in outcome.settled if s.rule == "returned payment"]
    assert returned.parts[0][0].reference == "ER000001 00052"
    assert [u.reason for u in outcome.unsettled] == ["unknown receipt"]


def to_match(line: record.Line) -> matching.Line:
    tx = line.transaction
    texts = [
        line.additional_information,
        tx.end_to_end_id,
        tx.payment_information_id,
        tx.remittance_text,
    ]
    reference = " ".join(
        [
            tx.original_end_to_end_id or "",
            line.account_servicer_reference or "",
            *(text for text in texts if text),
        ]
    )
    assert line.booking_date is not None
    return matching.Line(
        uuid4(),
        line.booking_date,
        line.currency,
        line.amount_minor,
        reference,
        tx.counterparty_name or "",
        tx.is_return,
    )
