"""One record of a payment batch, whatever format it leaves in; and the check digits of what is paid to.

    batch = Batch("RUN-7", made, pay_date, Payer("Harbour", ours), (Payment("P1", "Jo", to, 12345, "GBP"),))
    nacha.write(batch, ...), pain001.write(batch, ...), bank_csv.write(batch, ...), bacs18 by `as_bacs(batch)`

Writers refuse a batch with every problem at once: a problem's row is the payment's place, from 1.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from engineroom.kernel.errors import InputRefused, Problem
from engineroom.kernel.money import EXPONENTS
from engineroom.settlement.formats import bacs18

_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_REFERENCE = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]{1,35}")
_ABA_WEIGHTS = (3, 7, 1, 3, 7, 1, 3, 7, 1)

IBAN_LENGTHS = {
    "AD": 24, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20,
    "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GI": 23, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26,
    "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28,
    "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "AE": 23, "TR": 26, "SA": 24, "IL": 23,
}  # fmt: skip
"""Letters of an IBAN by country (ISO 13616). A country that is not here is held to its check digits alone."""

Kind = Literal["checking", "savings"]


@dataclass(frozen=True, slots=True)
class BankAccount:
    """Where money goes: an IBAN; in Britain sort code and number; in America routing number, number, kind.
    Elsewhere a number and the bank's BIC."""

    iban: str = ""
    sort_code: str = ""
    routing: str = ""
    number: str = ""
    kind: Kind = "checking"
    bic: str = ""


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays, from where. id: what the scheme or the bank calls the payer (ACH company id, Bacs service
    user number)."""

    name: str
    account: BankAccount
    id: str = ""


@dataclass(frozen=True, slots=True)
class Payment:
    """One payee's amount, in minor units. reference: ours, by which it is found again when it comes back.

    prenote: no money moves, the account is tried. country: the payee's, for payments across borders.
    """

    reference: str
    name: str
    account: BankAccount
    amount_minor: int
    currency: str
    text: str = ""
    country: str = ""
    town: str = ""
    prenote: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """What leaves in one file. id: ours, unique for the payer."""

    id: str
    made: datetime
    pay_date: date
    payer: Payer
    payments: tuple[Payment, ...]

    @property
    def total_minor(self) -> int:
        return sum(p.amount_minor for p in self.payments)


# check digits -----------------------------------------------------------------------------------------


def is_routing_number(text: str) -> bool:
    """The American Bankers Association's nine digits: 3, 7 and 1 times them in turn are a multiple of ten."""
    if not re.fullmatch(r"[0-9]{9}", text) or text == "000000000":
        return False
    return sum(w * int(d) for w, d in zip(_ABA_WEIGHTS, text, strict=True)) % 10 == 0


def is_iban(text: str) -> bool:
    """ISO 13616: the country's length, and the whole, letters as numbers, leaves 1 of 97."""
    if not _IBAN.fullmatch(text) or len(text) != IBAN_LENGTHS.get(text[:2], len(text)):
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def is_bic(text: str) -> bool:
    return _BIC.fullmatch(text) is not None


# what is wrong with a batch ---------------------------------------------------------------------------


def problems_of_account(
    account: BankAccount, needs: Sequence[str], row: int | None, whose: str
) -> Iterator[Problem]:
    """needs: which of iban, sort_code, routing will do."""
    if "iban" in needs and account.iban:
        if not is_iban(account.iban):
            remedy = "Ask for the IBAN again: its check digits do not fit, or letters are missing"
            yield Problem(f"{account.iban!r} is not an IBAN", remedy, row=row, field=f"{whose} IBAN")
    elif (
        "sort_code" in needs
        and (account.sort_code or account.number)
        and not account.routing
        and not account.bic
    ):
        if not re.fullmatch(r"[0-9]{6}", account.sort_code) or account.sort_code == "000000":
            remedy = "Enter six digits without dashes"
            yield Problem(
                f"{account.sort_code!r} is not a sort code", remedy, row=row, field=f"{whose} sort code"
            )
        if not re.fullmatch(r"[0-9]{8}", account.number) or account.number == "00000000":
            remedy = "Enter eight digits; put zeros before a shorter number"
            problem = f"{account.number!r} is not an account number"
            yield Problem(problem, remedy, row=row, field=f"{whose} account")
    elif "routing" in needs and account.routing:
        if not is_routing_number(account.routing):
            remedy = "Ask for the routing number again: its check digit does not fit"
            problem = f"{account.routing!r} is not a routing number"
            yield Problem(problem, remedy, row=row, field=f"{whose} routing number")
        if not re.fullmatch(r"[A-Za-z0-9\-]{1,17}", account.number.strip()):
            remedy = "Enter up to 17 digits, letters or hyphens"
            problem = f"{account.number!r} is not an account number"
            yield Problem(problem, remedy, row=row, field=f"{whose} account")
    elif "bic" in needs and account.bic and account.number:
        if len(account.number) > 34:
            yield Problem(
                "the account has more than 34 letters", "Check it", row=row, field=f"{whose} account"
            )
    else:
        words = {
            "iban": "an IBAN",
            "sort_code": "a sort code and number",
            "routing": "a routing number and number",
            "bic": "a BIC and a number",
        }
        wanted = " or ".join(words[need] for need in needs)
        yield Problem(
            f"there is no account: {wanted} is needed", "Enter it", row=row, field=f"{whose} account"
        )
    if account.bic and not is_bic(account.bic):
        yield Problem(f"{account.bic!r} is not a BIC", "Enter 8 or 11 letters", row=row, field=f"{whose} BIC")


def problems_of(
    batch: Batch,
    *,
    needs: Sequence[str],
    currencies: Sequence[str] = (),
    most_minor: int = 10**13,
    prenotes: bool = False,
) -> list[Problem]:
    """Everything that is wrong with a batch whatever its format: names, references, accounts, amounts."""
    found: list[Problem] = []
    if not batch.payments:
        found.append(Problem("there is no payment to write", "Select at least one payment"))
    if not _REFERENCE.fullmatch(batch.id):
        found.append(
            Problem(f"{batch.id[:40]!r} cannot name a file", "Use up to 35 plain letters", field="id")
        )
    if not batch.payer.name.strip():
        found.append(Problem("the payer has no name", "Enter it", field="payer name"))
    found += problems_of_account(batch.payer.account, needs, None, "payer")
    seen: dict[str, int] = {}
    for row, payment in enumerate(batch.payments, 1):
        found += problems_of_payment(payment, row, needs, currencies, most_minor, prenotes)
        if (before := seen.setdefault(payment.reference, row)) != row:
            problem = f"the reference {payment.reference[:40]!r} is payment {before}'s already"
            found.append(Problem(problem, "Give each payment its own", row=row, field="reference"))
    return found


def problems_of_payment(payment: Payment, row: int, needs: Sequence[str], currencies: Sequence[str],
                        most_minor: int, prenotes: bool) -> Iterator[Problem]:  # fmt: skip
    if not _REFERENCE.fullmatch(payment.reference) or not payment.reference.strip():
        problem = f"{payment.reference[:40]!r} cannot be a reference"
        yield Problem(problem, "Use up to 35 letters, digits and plain signs", row=row, field="reference")
    if not plain(payment.name, 140).strip():
        problem = f"nothing of the name {payment.name[:40]!r} can be written"
        yield Problem(problem, "Enter it in Latin letters", row=row, field="name")
    if payment.currency not in EXPONENTS or (currencies and payment.currency not in currencies):
        allowed = f": this format takes {', '.join(currencies)}" if currencies else ""
        yield Problem(
            f"{payment.currency!r} cannot be paid{allowed}", "Pay it another way", row=row, field="currency"
        )
    elif payment.prenote and (payment.amount_minor or not prenotes):
        what = "moves no money" if prenotes else "is not known to this format"
        yield Problem(f"a prenote {what}", "Leave it out, or make it a payment", row=row, field="amount")
    elif not payment.prenote and payment.amount_minor <= 0:
        yield Problem(f"{payment.amount_minor} is not a payment", "Leave it out", row=row, field="amount")
    elif payment.amount_minor > most_minor:
        yield Problem("the amount is over the format's limit", "Split it", row=row, field="amount")
    yield from problems_of_account(payment.account, needs, row, "payee")


def refuse(problems: list[Problem]) -> None:
    if problems:
        raise InputRefused(problems)


def plain(text: str, width: int) -> str:
    """The text in the letters every bank carries: accents come off, other signs become spaces."""
    if text.isascii() and text.isprintable() and "&" not in text and "<" not in text:
        return " ".join(text.split())[:width]
    apart = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    ascii_only = "".join(c for c in apart if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^A-Za-z0-9/\-?:().,'+ ]+", " ", ascii_only).split())[:width].rstrip()


_LETTERS = str.maketrans({"ß": "ss", "Æ": "AE", "æ": "ae", "Ø": "O", "ø": "o", "Ł": "L", "ł": "l", "Œ": "OE",
                          "œ": "oe", "Đ": "D", "đ": "d", "ð": "d", "Þ": "Th", "þ": "th", "’": "'", "–": "-",
                          "&": "+"})  # fmt: skip


def as_bacs(batch: Batch) -> tuple[bacs18.Originator, list[bacs18.Credit]]:
    """The same batch in the words of Bacs: bacs18.write(originator, credits, batch.pay_date, ...)."""
    payer = batch.payer
    originator = bacs18.Originator(payer.id, payer.account.sort_code, payer.account.number, payer.name)
    credits = [
        bacs18.Credit(p.account.sort_code, p.account.number, p.name, p.reference, p.amount_minor)
        for p in batch.payments
    ]
    return originator, credits
