"""Bacs Standard 18: the fixed width file by which a service user asks Bacs to credit accounts.

One record per line: labels VOL1, HDR1, HDR2, UHL1 (80 characters); one data record per credit and one
contra per processing day (100 characters; 106 in a multi day file, whose records carry their day); labels
EOF1, EOF2, UTL1 (80). The contra takes from the originator's account what the credits of its day pay, so
debits and credits of a file are equal; the reader holds files to that.

Positions are from facts/gb.md section 2.2. Constants are in rules/bacs18.yaml; those known only from memory
are marked there, and `unverified_fields` names them for whoever is about to send a file.

Not done here:
- the modulus check of sort code and account number, unless the firm supplies the weight table: Vocalink's
  terms must be read before we may ship it;
- whether the processing day is a banking day: see settlement.engine.bacs_cycle;
- Direct Debit: codes 01, 17, 18 and 19 of others' files are refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from engineroom.kernel.errors import InputRefused, Problem
from engineroom.kernel.money import format_minor
from engineroom.kernel.tables import Version, load_table

LABEL_WIDTH = 80
RECORD_WIDTH = {False: 100, True: 106}
"""Width of data and contra records: by whether the file is multi day."""

NAME_WIDTH = 18
LABELS_BEFORE = ("VOL1", "HDR1", "HDR2", "UHL1")
LABELS_AFTER = ("EOF1", "EOF2", "UTL1")

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Some 600,000 credits: beyond any payroll; UTL1 could count ten million."""

_SIX_DIGITS = re.compile(r"[0-9]{6}")
_EIGHT_DIGITS = re.compile(r"[0-9]{8}")
_DIGITS = re.compile(r"[0-9]+")
_BACS_TEXT = re.compile(r"[A-Z0-9.&/\- ]*")
_NOT_BACS = re.compile(r"[^A-Z0-9.&/\-]+")
_SIGNS = ".&/- "
_APOSTROPHES = dict.fromkeys(map(ord, "'’‘ʼ`´"))
_LETTERS = str.maketrans(
    {"Æ": "AE", "Œ": "OE", "Ø": "O", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "TH", "ẞ": "SS", "–": "-", "—": "-"}
)
"""Letters that Unicode does not take apart into a base letter and an accent."""


@dataclass(frozen=True, slots=True)
class Originator:
    """Who pays: the service user number Bacs gave them and the account the contra debits."""

    service_user_number: str
    sort_code: str
    account: str
    name: str


@dataclass(frozen=True, slots=True)
class Credit:
    """One payment to one account. `processing_day` is set only in a multi day file, where it may differ."""

    sort_code: str
    account: str
    name: str
    reference: str
    amount_minor: int
    processing_day: date | None = None


@dataclass(frozen=True)
class BacsFile:
    """A file as read: everything `write` needs to make the same bytes again, and its totals in pence."""

    originator: Originator
    credits: tuple[Credit, ...]
    processing_day: date
    created_on: date
    serial: int
    file_number: int
    multi_day: bool
    contra_count: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class UnverifiedField:
    """A constant of the format that nobody has checked against Pay.UK's specification."""

    name: str
    value: str
    source: str


def unverified_fields(day: date | None = None) -> tuple[UnverifiedField, ...]:
    """What a file of that day (of the newest table, when None) says only from memory, and why we say it."""
    version = _rules(day)
    raw: Mapping[str, Any] = version.values
    return tuple(UnverifiedField(n, str(version[n]), str(raw[n]["source"])) for n in version.unverified())


def _rules(day: date | None) -> Version:
    table = load_table("engineroom.settlement.formats", "bacs18")
    return table.versions[-1] if day is None else table.at(day)


# text -----------------------------------------------------------------------------------------------


def bacs_characters(text: str) -> str:
    """The text in the characters Bacs carries: A-Z, 0-9, full stop, ampersand, slash, hyphen and space.

    Upper case; accents come off (é is E, ß is SS, Ø is O); apostrophes go (O'Neil is ONEIL); whatever else
    Bacs does not carry becomes one space. May be empty: a name in Chinese has none of these characters.
    """
    if not _BACS_TEXT.fullmatch(text):
        upper = text.translate(_APOSTROPHES).upper().translate(_LETTERS)
        upper = unicodedata.normalize("NFKD", upper).upper()
        text = _NOT_BACS.sub(" ", "".join(c for c in upper if not unicodedata.combining(c)))
    return " ".join(text.split())


def bacs_text(text: str, width: int) -> str:
    """The text as it stands in a field: Bacs characters, cut to the width, spaces on the right."""
    return bacs_characters(text)[:width].rstrip().ljust(width)


def _bacs_date(day: date) -> str:
    """As bYYDDD: a space, the year of the century, the day of the year."""
    return f" {day:%y%j}"


def _read_bacs_date(text: str) -> date | None:
    if not (text[:1] == " " and _DIGITS.fullmatch(text[1:]) and len(text) == 6):
        return None
    day = date(2000 + int(text[1:3]), 1, 1) + timedelta(days=int(text[3:]) - 1)
    return day if day.year % 100 == int(text[1:3]) and int(text[3:]) else None


# write ----------------------------------------------------------------------------------------------


def write(
    originator: Originator,
    credits: Sequence[Credit],
    processing_day: date,
    *,
    created_on: date,
    serial: int,
    file_number: int,
    multi_day: bool = False,
) -> bytes:
    """The bytes of one Standard 18 credit file.

    serial: 1 to 999,999, not used before on that day by this originator. file_number: 1 to 999. Names are
    written with `bacs_text` (cut at 18 characters); a reference must fit whole. Raises InputRefused with
    every problem: its row is the position of the credit, from 1.
    """
    rules = _rules(processing_day)
    problems = _problems_of_file(originator, processing_day, created_on, serial, file_number)
    user = originator.sort_code + originator.account
    middle = f"{user}{rules['free_format']}"
    user_name, code, kind = bacs_text(originator.name, NAME_WIDTH), rules["credit_code"], rules["record_type"]
    cap = rules["credit_cap_pence"]
    contra_word = rules["contra_reference"]
    records: list[str] = []
    totals: dict[date, int] = {}
    for n, credit in enumerate(credits, 1):
        name, reference = bacs_characters(credit.name), bacs_characters(credit.reference)
        if wrong := _problems_of_credit(
            n, credit, name, reference, cap, contra_word, processing_day, multi_day
        ):
            problems += wrong
            continue
        day = credit.processing_day or processing_day
        totals[day] = totals.get(day, 0) + credit.amount_minor
        records.append(
            f"{credit.sort_code}{credit.account}{kind}{code}{middle}{credit.amount_minor:011d}{user_name}"
            f"{reference:18}{name[:NAME_WIDTH]:18}{_bacs_date(day) if multi_day else ''}"
        )
    problems += _problems_of_totals(credits, totals, rules["amount_field_max_pence"])
    if problems:
        raise InputRefused(problems)
    for day, total in sorted(totals.items()):
        contra_name = bacs_text(contra_word, NAME_WIDTH)
        records.append(
            f"{user}{kind}{rules['contra_code']}{middle}{total:011d}{user_name}{contra_name}{user_name}"
            f"{_bacs_date(day) if multi_day else ''}"
        )
    days = (processing_day, max(totals))
    before, after = _labels(rules, originator, days, created_on, serial, file_number, multi_day)
    total = sum(totals.values())
    after.append(_utl1(total, total, len(totals), len(credits)))
    assert all(len(r) == LABEL_WIDTH for r in (*before, *after))
    assert all(len(r) == RECORD_WIDTH[multi_day] for r in records)
    end = {"CRLF": "\r\n", "LF": "\n"}[rules["line_end"]]
    return (end.join([*before, *records, *after]) + end).encode("ascii")


def _labels(
    rules: Version,
    originator: Originator,
    days: tuple[date, date],
    created_on: date,
    serial: int,
    file_number: int,
    multi_day: bool,
) -> tuple[list[str], list[str]]:
    """The labels before the records, and EOF1 and EOF2, which repeat HDR1 and HDR2. days: first and last."""
    sun = originator.service_user_number
    size = "multi" if multi_day else "single"
    expiry = days[-1] + timedelta(days=rules["hdr1_expiry_days"])
    vol1 = f"VOL1{serial:06d}{'':31}{sun}{'':32}1"
    hdr1 = (
        f"{rules['hdr1_file_identifier'].format(sun=sun)}{serial:06d}00010001{'':6}"
        f"{_bacs_date(created_on)}{_bacs_date(expiry)} 000000{'':20}"
    )
    hdr2 = (
        f"F{rules[f'hdr2_block_length_{size}']}{RECORD_WIDTH[multi_day]:05d}{'':35}"
        f"{rules['hdr2_buffer_offset']}{'':28}"
    )
    uhl1 = (
        f"UHL1{_bacs_date(days[0])}{rules['uhl1_destination']}{'':4}{rules['uhl1_currency']}{rules['uhl1_country']}"
        f"{rules[f'uhl1_work_code_{size}']}{file_number:03d}{'':40}"
    )
    return [vol1, f"HDR1{hdr1}", f"HDR2{hdr2}", uhl1], [f"EOF1{hdr1}", f"EOF2{hdr2}"]


def _utl1(debit_total: int, credit_total: int, debits: int, credits: int) -> str:
    return f"UTL1{debit_total:013d}{credit_total:013d}{debits:07d}{credits:07d}{'':36}"


def _problems_of_file(
    originator: Originator, processing_day: date, created_on: date, serial: int, file_number: int
) -> list[Problem]:
    """What is wrong with everything but the credits."""
    checks = (
        (
            _SIX_DIGITS.fullmatch(originator.service_user_number),
            "service user number",
            f"{originator.service_user_number!r} is not a service user number",
            "Enter the six digits Bacs gave the originator",
        ),
        (
            _is_sort_code(originator.sort_code),
            "originator sort code",
            f"{originator.sort_code!r} is not a sort code",
            "Enter six digits without dashes",
        ),
        (
            _is_account(originator.account),
            "originator account",
            f"{originator.account!r} is not an account number",
            "Enter eight digits; put zeros before a shorter number",
        ),
        (
            bacs_characters(originator.name).strip(_SIGNS),
            "originator name",
            f"nothing of {originator.name!r} can be written in Bacs characters",
            "Enter the name with letters A to Z",
        ),
        (1 <= serial <= 999_999, "serial", f"{serial} is not a serial number", "Use 1 to 999999"),
        (1 <= file_number <= 999, "file number", f"{file_number} is not a file number", "Use 1 to 999"),
        (
            created_on <= processing_day and 2000 <= created_on.year <= processing_day.year < 2099,
            "processing day",
            f"a file made on {created_on} cannot be processed on {processing_day}",
            "Choose a later processing day",
        ),
        (
            processing_day.weekday() < 5,
            "processing day",
            f"{processing_day} is a {processing_day:%A}; Bacs does not process then",
            "Choose a banking day",
        ),
    )
    return [Problem(problem, remedy, field=name) for good, name, problem, remedy in checks if not good]


def _is_sort_code(text: str) -> bool:
    return bool(_SIX_DIGITS.fullmatch(text)) and text != "000000"


def _is_account(text: str) -> bool:
    return bool(_EIGHT_DIGITS.fullmatch(text)) and text != "00000000"


def _problems_of_credit(
    n: int,
    credit: Credit,
    name: str,
    reference: str,
    cap: int,
    contra_word: str,
    first_day: date,
    multi_day: bool,
) -> list[Problem]:
    """What is wrong with one credit; name and reference are already in Bacs characters."""
    found: list[Problem] = []

    def wrong(field: str, problem: str, remedy: str) -> None:
        found.append(Problem(problem, remedy, row=n, field=field))

    if not _is_sort_code(credit.sort_code):
        wrong("sort code", f"{credit.sort_code!r} is not a sort code", "Enter six digits without dashes")
    if not _is_account(credit.account):
        remedy = "Enter eight digits; put zeros before a shorter number"
        wrong("account", f"{credit.account!r} is not an account number", remedy)
    if not name.strip(_SIGNS):
        remedy = "Enter the payee's name with letters A to Z"
        wrong("name", f"nothing of {credit.name!r} can be written in Bacs characters", remedy)
    if not reference.strip(_SIGNS):
        wrong("reference", "the reference is empty", "Enter what the payee should read, up to 18 characters")
    elif len(reference) > NAME_WIDTH:
        wrong(
            "reference", f"{reference!r} is {len(reference)} characters long", "Shorten it to 18 characters"
        )
    elif reference.startswith(contra_word):
        problem = f"a reference that begins with {contra_word} reads as a contra record"
        wrong("reference", problem, "Begin it with another word")
    if credit.amount_minor <= 0:
        wrong("amount", f"{format_minor(credit.amount_minor)} is not a payment", "Leave this credit out")
    elif credit.amount_minor > cap:
        problem = f"{format_minor(credit.amount_minor)} is over the limit for one credit, {format_minor(cap)}"
        wrong("amount", problem, "Split it, or pay it by CHAPS")
    if (day := credit.processing_day) is not None:
        if not multi_day and day != first_day:
            remedy = "Write a multi day file, or take this credit out"
            wrong("processing day", f"{day} is not the file's day {first_day}", remedy)
        elif day < first_day or day.year >= 2099 or day.weekday() >= 5:
            remedy = f"Choose a banking day on or after {first_day}"
            wrong("processing day", f"{day} cannot be a processing day of this file", remedy)
    return found


def _problems_of_totals(credits: Sequence[Credit], totals: Mapping[date, int], most: int) -> list[Problem]:
    if not credits:
        return [Problem("there is no credit to write", "Select at least one payment")]
    return [
        Problem(
            f"the credits of {day} add to {format_minor(total)}; a contra can say {format_minor(most)}",
            "Split the payments into several files",
            field="amount",
        )
        for day, total in totals.items()
        if total > most
    ]


# read -----------------------------------------------------------------------------------------------


@dataclass
class _Reading:
    """Problems found while reading one file; rows are line numbers."""

    file_name: str | None
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, line: int | None, field: str | None, problem: str, remedy: str) -> None:
        self.problems.append(Problem(problem, remedy, self.file_name, line, field))

    def refuse(self) -> None:
        if self.problems:
            raise InputRefused(self.problems)

    def digits(self, line: int, field: str, text: str) -> int:
        """The number in a field; 0, and a problem, when it is none."""
        if _DIGITS.fullmatch(text):
            return int(text)
        self.wrong(line, field, f"{text!r} is not a number", "Ask whoever made the file for a correct one")
        return 0

    def day(self, line: int, field: str, text: str) -> date:
        """The bYYDDD day in a field; the first day we know, and a problem, when it is none."""
        if (day := _read_bacs_date(text)) is None:
            self.wrong(
                line, field, f"{text!r} is not a day", "Expected: a space, the year's two digits, day of year"
            )
        return day or date(2000, 1, 1)


REMAKE = "Ask whoever made the file for a correct one"


def read(data: bytes, *, file_name: str | None = None) -> BacsFile:
    """A credit file for submission, checked: widths, labels, days, contra and totals. Raises InputRefused.

    Reads what `write` makes, and files of others in the same layout that pay from one account; reserved
    fields are not looked at. A *received* file (what a bank hands its customer: 128 character labels, no
    HDR2, contra or EOF) is refused by name: nothing in it lets its totals be checked. Each problem's row is
    the line.
    """
    reading = _Reading(file_name)
    lines = _lines(reading, data)
    reading.refuse()
    multi_day = _check_shape(reading, lines)
    reading.refuse()
    processing_day = reading.day(4, "processing day", lines[3][4:10])
    credits, contras = _read_records(reading, lines, processing_day, multi_day)
    _check_totals(reading, lines, credits, contras, processing_day)
    found = BacsFile(
        originator=_read_originator(reading, lines),
        credits=tuple(credits),
        processing_day=processing_day,
        created_on=reading.day(2, "creation date", lines[1][41:47]),
        serial=reading.digits(1, "serial", lines[0][4:10]),
        file_number=reading.digits(4, "file number", lines[3][37:40]),
        multi_day=multi_day,
        contra_count=len(contras),
        total_minor=sum(amount for _, amount in contras),
    )
    reading.refuse()
    return found


def _read_records(
    reading: _Reading, lines: list[str], processing_day: date, multi_day: bool
) -> tuple[list[Credit], list[tuple[date, int]]]:
    """The credits, and the contras as (day, amount)."""
    rules = _rules(None)
    credit_code, contra_code = rules["credit_code"], rules["contra_code"]
    credits: list[Credit] = []
    contras: list[tuple[date, int]] = []
    for n, line in enumerate(lines[4:-3], 5):
        day = reading.day(n, "processing day", line[100:106]) if multi_day else processing_day
        amount = reading.digits(n, "amount", line[35:46])
        if line[15:17] == contra_code and line[64:82].startswith(rules["contra_reference"]):
            contras.append((day, amount))
        elif line[15:17] == credit_code:
            credits.append(_read_credit(reading, n, line, amount, day if multi_day else None))
        else:
            problem = f"transaction code {line[15:17]!r} is neither a credit ({credit_code}) nor its contra"
            reading.wrong(n, "transaction code", problem, "Only files that pay are read here")
    return credits, contras


def _read_originator(reading: _Reading, lines: list[str]) -> Originator:
    """Who pays, as the last record (a contra) says; every record must name the same account."""
    contra = lines[-4]
    payer = contra[:14]
    for n, line in enumerate(lines[4:-3], 5):
        if line[17:31] != payer:
            problem = f"{line[17:31]!r} pays here, but the contra in line {len(lines) - 3} debits {payer!r}"
            reading.wrong(n, "originator account", problem, REMAKE)
    return Originator(lines[0][41:47], payer[:6], payer[6:], contra[82:100].rstrip())


def _read_credit(reading: _Reading, n: int, line: str, amount: int, day: date | None) -> Credit:
    credit = Credit(line[:6], line[6:14], line[82:100].rstrip(), line[64:82].rstrip(), amount, day)
    if not (_is_sort_code(credit.sort_code) and _is_account(credit.account)):
        reading.wrong(n, "account", f"{line[:14]!r} is not a sort code and an account number", REMAKE)
    if not (credit.name and credit.reference and amount > 0):
        reading.wrong(n, None, "a credit needs a name, a reference and an amount above zero", REMAKE)
    return credit


def _lines(reading: _Reading, data: bytes) -> list[str]:
    """The file's lines, if it can be Standard 18 at all."""
    if len(data) > MAX_FILE_BYTES:
        reading.wrong(None, None, f"the file is larger than {MAX_FILE_BYTES:,} bytes", "Split it")
        return []
    if not data.strip():
        reading.wrong(None, None, "the file is empty", REMAKE)
        return []
    lines = [line.rstrip("\r") for line in data.decode("latin-1").rstrip("\r\n\x1a").split("\n")]
    if len(lines[0]) > LABEL_WIDTH and lines[0][:4] == "VOL1" and (len(lines) < 3 or lines[2][:4] != "HDR2"):
        problem = "this is a file received from a bank, not one for submission: it has no HDR2, contra or EOF"
        remedy = "Take receipts from the bank's camt.053; for a submission, ask for the file that was sent"
        reading.wrong(1, "VOL1", problem, remedy)
        return []
    if lines[0][:4] != "VOL1":
        reading.wrong(1, "VOL1", "the file does not begin with VOL1, so it is not Bacs Standard 18", REMAKE)
        return []
    for n, line in enumerate(lines, 1):
        if not _BACS_TEXT.fullmatch(line):
            reading.wrong(
                n, None, "the line has characters Bacs does not carry", "Use A-Z 0-9 . & / - and space"
            )
    return lines


def _check_shape(reading: _Reading, lines: list[str]) -> bool:
    """Labels in place, widths right, trailers that repeat headers. Returns whether it is multi day."""
    if len(lines) < 9:  # four labels, a credit, its contra, three labels
        problem = f"the file ends after {len(lines)} lines: it is truncated"
        reading.wrong(len(lines), None, problem, "Send the whole file again")
        return False
    multi_day = lines[2][10:15] == "00106"
    count = len(lines)
    places = dict(enumerate(LABELS_BEFORE)) | dict(enumerate(LABELS_AFTER, count - 3))
    for at, label in places.items():
        if lines[at][:4] != label:
            problem = f"{label} belongs here, not {lines[at][:4]!r}: the file is truncated or no Standard 18"
            reading.wrong(at + 1, label, problem, "Send the whole file again")
    for n, line in enumerate(lines):
        width = LABEL_WIDTH if n in places else RECORD_WIDTH[multi_day]
        if len(line) != width:
            reading.wrong(n + 1, None, f"the line has {len(line)} characters, not {width}", REMAKE)
    if lines[2][10:15] not in ("00100", "00106"):
        reading.wrong(3, "record length", f"{lines[2][10:15]!r} is neither 00100 nor 00106", REMAKE)
    for header, trailer, label in ((1, count - 3, "EOF1"), (2, count - 2, "EOF2")):
        if lines[header][4:] != lines[trailer][4:]:
            problem = f"{label} does not repeat line {header + 1}"
            reading.wrong(trailer + 1, label, problem, "It belongs to another file; send the file again")
    if lines[1][5:11] != lines[0][41:47] or not _SIX_DIGITS.fullmatch(lines[0][41:47]):
        reading.wrong(2, "service user number", "VOL1 and HDR1 do not name one service user number", REMAKE)
    return multi_day


def _check_totals(
    reading: _Reading, lines: list[str], credits: list[Credit], contras: list[tuple[date, int]], day: date
) -> None:
    """Credits of each day equal its contras, and UTL1 says the same sums and counts."""
    paid: dict[date, int] = {}
    for credit in credits:
        on = credit.processing_day or day
        paid[on] = paid.get(on, 0) + credit.amount_minor
    debited: dict[date, int] = {}
    for on, amount in contras:
        debited[on] = debited.get(on, 0) + amount
    for on in sorted(paid.keys() | debited.keys()):
        credit_sum, debit_sum = paid.get(on, 0), debited.get(on, 0)
        if credit_sum != debit_sum:
            sums = f"{format_minor(credit_sum)}, its contra is {format_minor(debit_sum)}"
            problem = f"the credits of {on} add to {sums}"
            reading.wrong(len(lines) - 3, "contra", problem, "Do not send this file; have it made again")
    said = lines[-1][4:44]
    found = _utl1(sum(debited.values()), sum(paid.values()), len(contras), len(credits))[4:44]
    if said != found:
        for name, start, stop in _UTL1_FIELDS:
            if said[start:stop] != found[start:stop]:
                problem = f"{name} is {said[start:stop]} but the records give {found[start:stop]}"
                reading.wrong(len(lines), name, problem, "Records are missing or changed; have it made again")


_UTL1_FIELDS = (
    ("debit total", 0, 13),
    ("credit total", 13, 26),
    ("debit count", 26, 33),
    ("credit count", 33, 40),
)
