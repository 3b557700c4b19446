"""One record of a bank statement, whatever format it came in; what the source said is kept beside it.

Amounts are whole minor units, signed as the account sees them: money out is negative. A reader yields heads,
and the lines of each lazily: the next statement begins where the lines before it end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from engineroom.kernel.errors import Problem

Kind = Literal["statement", "report", "notification"]
"""A statement is final. A report (camt.052, MT942) is of a day that is not over, a notification (camt.054)
of single movements: neither is reconciled to."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose statement it is: an IBAN, or another identification (in Britain sort code and account number)."""

    iban: str | None
    other_id: str | None
    currency: str | None
    name: str | None
    servicer: str | None


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance on a day. code: OPBD, PRCD, CLBD, CLAV, ... as the bank says; overdrawn is negative."""

    code: str
    amount_minor: int
    currency: str
    day: date | None


@dataclass(frozen=True, slots=True)
class BankTransactionCode:
    """What kind of movement it is: ISO's domain, family and subfamily, and the bank's own code."""

    domain: str | None = None
    family: str | None = None
    subfamily: str | None = None
    proprietary: str | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """One payment of an entry. The amount, if said, is signed as the account sees it.

    original_amount_minor: what was instructed in another currency, unsigned, and the rate as it was written.
    """

    amount_minor: int | None = None
    currency: str | None = None
    end_to_end_id: str | None = None
    instruction_id: str | None = None
    transaction_id: str | None = None
    mandate_id: str | None = None
    payment_information_id: str | None = None
    account_servicer_reference: str | None = None
    counterparty_name: str | None = None
    counterparty_account: str | None = None
    counterparty_agent: str | None = None
    remittance_text: str | None = None
    structured_reference: str | None = None
    is_return: bool = False
    return_reason: str | None = None
    original_end_to_end_id: str | None = None
    additional_information: str | None = None
    bank_transaction_code: BankTransactionCode = BankTransactionCode()
    original_amount_minor: int | None = None
    original_currency: str | None = None
    exchange_rate: str | None = None


NO_TRANSACTION = Transaction()


@dataclass(frozen=True, slots=True)
class Line:
    """One entry. `ordinal` counts from 1 within its statement; `amount_minor` is signed: money out is
    negative.

    is_reversal: the entry takes back an earlier one; the sign already says which way the money goes.
    `transactions` are the payments the entry is made of: none, one, or a batch. `transaction` is the only
    one, and an empty one when there are none or several. said: the entry as the source has it, whole, where
    the reader was asked to keep it.
    """

    ordinal: int
    source_line: int
    amount_minor: int
    currency: str
    is_credit: bool
    is_reversal: bool
    status: str
    booking_date: date | None
    value_date: date | None
    entry_reference: str | None
    account_servicer_reference: str | None
    bank_transaction_code: BankTransactionCode
    additional_information: str | None
    batch_count: int | None
    transactions: tuple[Transaction, ...]
    customer_reference: str | None = None
    said: str = ""

    @property
    def is_booked(self) -> bool:
        return self.status == "BOOK"

    @property
    def transaction(self) -> Transaction:
        return self.transactions[0] if len(self.transactions) == 1 else NO_TRANSACTION


@dataclass
class Statement:
    """The head of one statement, and its lines.

    currency: the account's, else what balances or lines say. problems: of the whole file, so far. Of formats
    that put balances behind the lines, the head is complete only once its lines are read. said: what the
    source has before, between and behind the lines.
    """

    id: str
    message_id: str | None
    electronic_sequence_number: int | None
    legal_sequence_number: int | None
    page_number: int | None
    is_last_page: bool | None
    created_at: datetime | None
    period_start: date | None
    period_end: date | None
    account: Account
    currency: str
    balances: tuple[Balance, ...]
    opening_minor: int | None
    closing_minor: int | None
    source_line: int
    lines: Iterator[Line] = field(default_factory=lambda: iter(()), repr=False)
    problems: list[Problem] = field(default_factory=list, repr=False)
    kind: Kind = "statement"
    said: list[str] = field(default_factory=list, repr=False)
