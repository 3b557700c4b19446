"""PAYE tax codes as HMRC issues them: 1257L, S1257L, CBR, SK475, D0, 0T, NT, perhaps with W1, M1 or X.

The form of a code is HMRC's RTI schema (FullPaymentSubmission, TaxCode: no leading zeros, at most six digits,
0T the only code with number nought) with the S and C that the schema carries apart as TaxRegime. D2 and D3
exist only with S; NT has no prefix. W1, M1, W1/M1 and X all say one thing: this period alone, without figures
to date.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engineroom.kernel.errors import EngineroomError
from engineroom.payroll.engine.steps import Column

REGIONS = ("ruk", "scotland", "wales")
PREFIXES = ("", "S", "C")

KINDS = ("allowance", "k", "flat", "no_tax")
ALLOWANCE, K, FLAT, NO_TAX = range(len(KINDS))

FLAT_CODES = ("BR", "D0", "D1", "D2", "D3")
"""A flat-rate code's number is its place here."""

COLUMNS = (
    "tax_code_region",
    "tax_code_kind",
    "tax_code_number",
    "tax_code_suffix",
    "tax_code_week1_month1",
    "tax_code_rates",
)

RATES = (*REGIONS, *(prefix + code for prefix in PREFIXES for code in FLAT_CODES), "NT")
"""The rates a code taxes pay at: the bands of its region, the one rate of a flat-rate code, or none."""

FIND_THE_CODE = "Enter the code from the latest notice (P6, P9) or from the P45, such as 1257L"

_FORM = re.compile(
    r"(?P<prefix>[SC]?)"
    r"(?:(?P<allowance>\d+)(?P<suffix>[A-Z])|K(?P<k>\d+)|(?P<flat>BR|D\d)|(?P<no_tax>NT))"
    r"(?P<basis>W1/M1|W1M1|W1|M1|X)?"
)


class TaxCodeRefused(EngineroomError):
    """The text is not a tax code that HMRC could have issued."""

    status = 422

    def __init__(self, text: str, problem: str, remedy: str = FIND_THE_CODE) -> None:
        self.problem, self.remedy = f"{text.strip()[:20]!r} is not a tax code: {problem}", remedy
        super().__init__(f"{self.problem}. {self.remedy}")


@dataclass(frozen=True, slots=True)
class TaxCode:
    """A tax code. number: of the allowance or K code; for a flat-rate code its place in FLAT_CODES."""

    region: str
    kind: str
    number: int
    suffix: str = ""
    week1_month1: bool = False

    @property
    def without_prefix(self) -> str:
        """As the FPS sends it: the region and the basis travel beside it."""
        match self.kind:
            case "allowance":
                return f"{self.number}{self.suffix}"
            case "k":
                return f"K{self.number}"
            case "flat":
                return FLAT_CODES[self.number]
        return "NT"

    def __str__(self) -> str:
        prefix = PREFIXES[REGIONS.index(self.region)]
        return f"{prefix}{self.without_prefix}{' W1/M1' if self.week1_month1 else ''}"


@lru_cache(maxsize=4096)
def parse_tax_code(text: str) -> TaxCode:
    """The tax code a text writes; letter case and spaces do not matter. Raises TaxCodeRefused."""
    written = re.sub(r"\s+", "", text).upper()
    if not written:
        raise TaxCodeRefused(text, "nothing is written")
    match = _FORM.fullmatch(written) if written.isascii() else None
    if match is None:
        raise TaxCodeRefused(text, "it has none of the forms 1257L, K475, BR, D0, 0T or NT")
    part = match.groupdict()
    region = REGIONS[PREFIXES.index(part["prefix"])]
    alone = part["basis"] is not None
    if part["no_tax"]:
        if part["prefix"]:
            raise TaxCodeRefused(text, "NT takes no S or C", "Enter NT")
        return TaxCode(region, "no_tax", 0, week1_month1=alone)
    if part["flat"]:
        return TaxCode(region, "flat", _flat(text, part["flat"], region), week1_month1=alone)
    if part["k"]:
        return TaxCode(region, "k", _number(text, part["k"]), week1_month1=alone)
    return TaxCode(region, "allowance", _allowance(text, part), part["suffix"], alone)


def _flat(text: str, code: str, region: str) -> int:
    if code not in FLAT_CODES:
        raise TaxCodeRefused(text, "D codes run from D0 to D3")
    if code in ("D2", "D3") and region != "scotland":
        raise TaxCodeRefused(text, f"{code} exists only for Scottish taxpayers", f"Enter S{code}, D0 or D1")
    return FLAT_CODES.index(code)


def _allowance(text: str, part: Mapping[str, str]) -> int:
    if part["suffix"] not in "LMNT":
        raise TaxCodeRefused(text, f"the letter after the number is L, M, N or T, not {part['suffix']}")
    if part["allowance"] == "0" and part["suffix"] == "T":
        return 0
    return _number(text, part["allowance"])


def _number(text: str, digits: str) -> int:
    if int(digits[:7]) == 0:
        raise TaxCodeRefused(text, "its number is nought", "Enter 0T when there is no allowance to set off")
    if digits.startswith("0"):
        raise TaxCodeRefused(text, "its number starts with a nought", "Leave out the leading noughts")
    if len(digits) > 6:
        raise TaxCodeRefused(text, "its number has more than six digits")
    return int(digits)


def tax_code_columns(texts: Sequence[str]) -> tuple[dict[str, Column], dict[str, TaxCodeRefused]]:
    """Codes as COLUMNS of shape (n,), and what is wrong with each text that is no code (its rows read NT).

    region, kind and rates are places in REGIONS, KINDS and RATES; suffix is the letter's Unicode number or 0;
    week1_month1 0 or 1.
    """
    refused: dict[str, TaxCodeRefused] = {}
    records: list[tuple[int, ...]] = []
    for text in texts:
        try:
            records.append(_numbered(text))
        except TaxCodeRefused as error:
            refused[text] = error
            records.append(_numbered("NT"))
    table = np.array(records, dtype=np.int64).reshape(len(records), len(COLUMNS))
    return {name: table[:, i] for i, name in enumerate(COLUMNS)}, refused


@lru_cache(maxsize=4096)
def _numbered(text: str) -> tuple[int, ...]:
    """A code's COLUMNS: few different codes cover many people. Raises TaxCodeRefused."""
    code = parse_tax_code(text)
    suffix = ord(code.suffix) if code.suffix else 0
    alone = int(code.week1_month1)
    in_bands = code.kind in ("allowance", "k")
    rates = RATES.index(code.region if in_bands else _prefix(code) + code.without_prefix)
    return REGIONS.index(code.region), KINDS.index(code.kind), code.number, suffix, alone, rates


def _prefix(code: TaxCode) -> str:
    return PREFIXES[REGIONS.index(code.region)]


def tax_code_at(columns: Mapping[str, Column], row: int) -> TaxCode:
    """The code that COLUMNS hold for one row."""
    region, kind, number, suffix, alone, _ = (int(columns[name][row]) for name in COLUMNS)
    return TaxCode(REGIONS[region], KINDS[kind], number, chr(suffix) if suffix else "", bool(alone))
