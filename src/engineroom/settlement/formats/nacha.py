"""NACHA files: payments written (PPD, CCD with addenda, prenotes, reversals), any such file read and checked.

94 characters a record: file header 1, batch header 5, entry 6, addenda 7, batch control 8, file control 9,
filled with records of nines to blocks of ten. Every control says how many entries there are, a hash of the
banks they go to, and the sums: a file is held to all of them, and every routing number to its check digit.

From 20 March 2026 a PPD credit that is wages must be described as PAYROLL (facts/us.md, nacha.org).
Positions: facts/us.md and the files of moov-io/ach; NACHA's own rules were not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from engineroom.kernel.errors import InputRefused, Problem
from engineroom.settlement.formats import outcomes
from engineroom.settlement.formats.batch import (
    BankAccount,
    Batch,
    Payer,
    Payment,
    is_routing_number,
    plain,
    problems_of,
    refuse,
)
from engineroom.settlement.formats.outcomes import Outcome

WIDTH = 94
BLOCK = 10
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_AMOUNT = 10**10 - 1
MAX_TOTAL = 10**12 - 1
MAX_PROBLEMS = 200
PAYROLL_FROM = date(2026, 3, 20)
PAYROLL = "PAYROLL"
REVERSAL = "REVERSAL"
REVERSAL_DAYS = 5
"""Banking days after settlement within which a reversal must be sent (facts/us.md)."""

FILL = "9" * WIDTH
REMAKE = "Have the file made again; do not send it"

Sec = Literal["PPD", "CCD"]
_CREDIT = {"checking": "22", "savings": "32"}
_PRENOTE = {"checking": "23", "savings": "33"}
_DEBIT = {"checking": "27", "savings": "37"}

_CREDITS = frozenset(
    (
        "20",
        "21",
        "22",
        "23",
        "24",
        "30",
        "31",
        "32",
        "33",
        "34",
        "41",
        "42",
        "43",
        "44",
        "51",
        "52",
        "53",
        "54",
    )
)
_DEBITS = frozenset(
    ("25", "26", "27", "28", "29", "35", "36", "37", "38", "39", "46", "47", "48", "49", "55", "56")
)
_ADV = frozenset(str(n) for n in range(81, 89))
_RETURNED = frozenset(("21", "26", "31", "36", "41", "46", "51", "56"))
_PRENOTES = frozenset(("23", "28", "33", "38", "43", "48", "53"))
_SECS = frozenset(
    ("ACK", "ADV", "ARC", "ATX", "BOC", "CCD", "CIE", "COR", "CTX", "DNE", "ENR", "IAT", "MTE", "POP", "POS",
     "PPD", "RCK", "SHR", "TEL", "TRC", "TRX", "WEB", "XCK")
)  # fmt: skip
_ADDENDA_TYPES = frozenset(("02", "05", "10", "11", "12", "13", "14", "15", "16", "17", "18", "98", "99"))


@dataclass(frozen=True, slots=True)
class Addenda:
    """A record 7. kind: 05 for remittance, 98 for a change, 99 for a return, 10 to 18 of IAT."""

    kind: str
    text: str
    said: str
    row: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A record 6 with its addenda. amount_minor is unsigned; the transaction code says which way it goes."""

    code: str
    routing: str
    account: str
    amount_minor: int
    identification: str
    name: str
    trace: str
    addenda: tuple[Addenda, ...]
    said: str
    row: int

    @property
    def is_credit(self) -> bool:
        return self.code in _CREDITS or (self.code in _ADV and int(self.code) % 2 == 1)

    @property
    def is_prenote(self) -> bool:
        return self.code in _PRENOTES


@dataclass(slots=True)
class AchBatch:
    """A record 5 to its record 8."""

    service_class: str
    company: str
    company_id: str
    sec: str
    description: str
    effective: str
    odfi: str
    number: int
    said: str
    row: int
    entries: list[Entry] = field(default_factory=list)
    control: str = ""


@dataclass(slots=True)
class AchFile:
    """A file as read. `rows` gives it back."""

    header: str
    batches: list[AchBatch]
    control: str
    fill: int = 0

    @property
    def rows(self) -> Iterator[str]:
        yield self.header
        for batch in self.batches:
            yield batch.said
            for entry in batch.entries:
                yield entry.said
                for addenda in entry.addenda:
                    yield addenda.said
            yield batch.control
        yield self.control
        for _ in range(self.fill):
            yield FILL


@dataclass(frozen=True, slots=True)
class Terms:
    """What the bank agreed with the company for ACH. destination: the bank's routing number and name;
    company_id: often 1 and the EIN; serial: A to Z and 0 to 9, which file of the day it is."""

    destination: str
    destination_name: str
    company_id: str
    company: str
    odfi: str
    serial: str = "A"
    origin: str = ""


# write ------------------------------------------------------------------------------------------------


def write(
    batch: Batch,
    terms: Terms,
    *,
    sec: Sec = "PPD",
    description: str = PAYROLL,
    reversal_of: date | None = None,
    first_trace: int = 1,
) -> bytes:
    """The bytes of a file with one batch of credits, or of debits that take them back.

    description: what the payee reads, 10 letters; of wages by PPD it begins with PAYROLL. reversal_of: the
    settlement day of the batch that this one takes back whole. A CCD payment's text goes with it as its one
    addenda record. Raises InputRefused with every problem: its row is the payment's place, from 1.
    """
    problems = _problems(batch, terms, sec, description, reversal_of, first_trace)
    refuse(problems)
    reversal = reversal_of is not None
    code = "225" if reversal else "220"
    wanted = REVERSAL if reversal else plain(description, 10)
    odfi = terms.odfi[:8]
    company = f"{plain(terms.company, 16):16}"
    origin = terms.origin or terms.company_id
    rows = [
        f"101 {terms.destination:9}{origin[:10]:>10}{batch.made:%y%m%d%H%M}{terms.serial}094101"
        f"{plain(terms.destination_name, 23):23}{plain(terms.company, 23):23}{plain(batch.id, 8):8}",
        f"5{code}{company}{plain(batch.id, 20):20}{terms.company_id:10}{sec}{wanted:10}{'':6}"
        f"{batch.pay_date:%y%m%d}{'':3}1{odfi}{1:07d}",
    ]
    hash_ = entries = 0
    for n, payment in enumerate(batch.payments, first_trace):
        trace = f"{odfi}{n:07d}"
        with_addenda = sec == "CCD" and bool(payment.text.strip())
        rows.append(_entry(payment, sec, trace, with_addenda, reversal))
        entries += 1
        hash_ += int(payment.account.routing[:8])
        if with_addenda:
            rows.append(f"705{plain(payment.text, 80):80}{1:04d}{n:07d}")
            entries += 1
    total = batch.total_minor
    debit, credit = (total, 0) if reversal else (0, total)
    sums = f"{hash_ % 10**10:010d}{debit:012d}{credit:012d}"
    rows.append(f"8{code}{entries:06d}{sums}{terms.company_id:10}{'':25}{odfi}{1:07d}")
    blocks = -(-(len(rows) + 1) // BLOCK)
    rows.append(f"9{1:06d}{blocks:06d}{entries:08d}{sums}{'':39}")
    rows += [FILL] * (blocks * BLOCK - len(rows))
    assert all(len(row) == WIDTH for row in rows)
    return ("\n".join(rows) + "\n").encode("ascii")


def _entry(payment: Payment, sec: Sec, trace: str, with_addenda: bool, reversal: bool) -> str:
    account = payment.account
    codes = _DEBIT if reversal else _PRENOTE if payment.prenote else _CREDIT
    # PPD: identification 15, name 22; CCD has the same places with the same widths
    return (
        f"6{codes[account.kind]}{account.routing}{account.number.strip():17}{payment.amount_minor:010d}"
        f"{plain(payment.reference, 15):15}{plain(payment.name, 22):22}  {int(with_addenda)}{trace}"
    )


def _problems(
    batch: Batch, terms: Terms, sec: Sec, description: str, reversal_of: date | None, first_trace: int
) -> list[Problem]:
    found = problems_of(
        batch, needs=("routing",), currencies=("USD",), most_minor=MAX_AMOUNT, prenotes=reversal_of is None
    )
    checks = (
        (
            is_routing_number(terms.destination),
            "destination",
            f"{terms.destination!r} is not a routing number",
        ),
        (re.fullmatch(r"[0-9]{8,9}", terms.odfi), "ODFI", f"{terms.odfi!r} is not the bank's eight digits"),
        (
            re.fullmatch(r"[0-9]{1,10}", terms.origin or terms.company_id),
            "origin",
            f"{terms.origin or terms.company_id!r} is not the originator's number",
        ),
        (
            re.fullmatch(r"[A-Za-z0-9 ]{1,10}", terms.company_id),
            "company id",
            f"{terms.company_id!r} is no company id",
        ),
        (plain(terms.company, 16), "company", "the company has no name that can be written"),
        (re.fullmatch(r"[A-Z0-9]", terms.serial), "serial", f"{terms.serial!r} is not A to Z or 0 to 9"),
        (batch.pay_date.weekday() < 5, "pay date", f"{batch.pay_date} is a {batch.pay_date:%A}"),
        (batch.total_minor <= MAX_TOTAL, "amount", "the payments add to more than a control record can say"),
        (0 < first_trace <= 9_999_999 - len(batch.payments), "trace", "the trace numbers do not fit"),
    )
    found += [
        Problem(problem, "Correct it, or ask the bank", field=name)
        for good, name, problem in checks
        if not good
    ]
    if reversal_of is not None:
        if batch.pay_date > _banking_days_after(reversal_of, REVERSAL_DAYS):
            problem = f"what settled on {reversal_of} cannot be reversed on {batch.pay_date}"
            remedy = f"A reversal is sent within {REVERSAL_DAYS} banking days; ask the payees to pay it back"
            found.append(Problem(problem, remedy, field="pay date"))
    elif not plain(description, 10):
        found.append(Problem("the description is empty", "Say what it is in 10 letters", field="description"))
    elif (
        sec == "PPD"
        and batch.pay_date >= PAYROLL_FROM
        and not plain(description, 10).upper().startswith(PAYROLL)
    ):
        problem = f"{description[:20]!r} does not begin with {PAYROLL}"
        remedy = f"Since {PAYROLL_FROM:%d %B %Y} wages by PPD are described as {PAYROLL}"
        found.append(Problem(problem, remedy, field="description"))
    for row, payment in enumerate(batch.payments, 1):
        if len(payment.reference) > 15:
            problem = f"the reference {payment.reference[:40]!r} has more than 15 letters"
            found.append(Problem(problem, "Shorten it: it must come back whole", row=row, field="reference"))
        if len(plain(payment.text, 200)) > 80 and sec == "CCD":
            problem = "the text has more than the 80 letters of one addenda record"
            found.append(Problem(problem, "Shorten it", row=row, field="text"))
    return found


def _banking_days_after(day: date, days: int) -> date:
    """Weekdays: the federal holidays in between only make the true last day later."""
    while days:
        day += timedelta(days=1)
        days -= day.weekday() < 5
    return day


# read -------------------------------------------------------------------------------------------------


def read(data: bytes, *, file_name: str | None = None) -> AchFile:
    """Any ACH file: every control is checked. Raises InputRefused with every problem by row."""
    return _Reading(data, file_name).file()


def as_batch(file: AchFile) -> Batch:
    """A file that we wrote, as the batch it was written of."""
    [batch] = file.batches
    kinds: dict[str, Literal["checking", "savings"]] = {"2": "checking", "3": "savings"}
    payments = tuple(
        Payment(
            entry.identification,
            entry.name,
            BankAccount(routing=entry.routing, number=entry.account, kind=kinds[entry.code[0]]),
            entry.amount_minor,
            "USD",
            text="".join(a.text for a in entry.addenda),
            prenote=entry.is_prenote,
        )
        for entry in batch.entries
    )
    moment = datetime.strptime(file.header[23:33], "%y%m%d%H%M").replace(tzinfo=UTC)
    pay_date = datetime.strptime(batch.effective, "%y%m%d").replace(tzinfo=UTC).date()
    payer = Payer(file.header[63:86].strip(), BankAccount(), batch.company_id)
    return Batch(batch.said[20:40].strip(), moment, pay_date, payer, payments)


class _Reading:
    """One file, record by record."""

    def __init__(self, data: bytes, file_name: str | None) -> None:
        self.file_name = file_name
        self.problems: list[Problem] = []
        self.data = data

    def wrong(self, row: int | None, name: str | None, problem: str, remedy: str = REMAKE) -> None:
        self.problems.append(Problem(problem, remedy, self.file_name, row, name))
        if len(self.problems) >= MAX_PROBLEMS:
            raise InputRefused(self.problems, f"reading stopped after {MAX_PROBLEMS} problems")

    def refuse(self, row: int | None, problem: str) -> InputRefused:
        self.problems.append(Problem(problem, REMAKE, self.file_name, row))
        return InputRefused(self.problems)

    def rows(self) -> list[tuple[int, str]]:
        if len(self.data) > MAX_FILE_BYTES:
            raise self.refuse(None, f"the file is larger than {MAX_FILE_BYTES // 1024 // 1024} MB")
        try:
            text = self.data.decode("ascii")
        except UnicodeDecodeError as error:
            row = self.data.count(b"\n", 0, error.start) + 1
            raise self.refuse(row, "a letter is not ASCII, which ACH does not carry") from None
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if len(lines) == 1 and len(text) > WIDTH:  # records without line ends
            lines = [text[n : n + WIDTH] for n in range(0, len(text), WIDTH)]
        found = []
        for row, line in enumerate(lines, 1):
            if not line.strip():
                continue
            if len(line.rstrip()) > WIDTH:
                self.wrong(row, None, f"the record has {len(line)} characters, not {WIDTH}")
            if not line.isprintable():
                self.wrong(row, None, "the record has a control character, which no record carries")
            found.append((row, line.rstrip().ljust(WIDTH)[:WIDTH]))
        if not found:
            raise self.refuse(None, "the file is empty")
        return found

    def file(self) -> AchFile:
        rows = self.rows()
        row, header = rows[0]
        if header[0] != "1":
            raise self.refuse(row, f"the file begins with a record {header[0]}, not with a file header (1)")
        self.check_header(row, header)
        file = AchFile(header, [], "")
        batch: AchBatch | None = None
        control_row = 0
        for row, said in rows[1:]:
            kind = said[0]
            if file.control:
                if said != FILL:
                    self.wrong(row, None, "a record stands behind the file control (9)")
                file.fill += 1
            elif kind == "5" and batch is None:
                batch = self.batch(row, said)
            elif kind == "6" and batch is not None:
                self.entry(batch, row, said)
            elif kind == "7" and batch is not None and batch.entries:
                self.addenda(batch, row, said)
            elif kind == "8" and batch is not None:
                batch.control = said
                self.check_batch(batch, row)
                file.batches.append(batch)
                batch = None
            elif kind == "9" and batch is None:
                file.control, control_row = said, row
            else:
                raise self.refuse(row, f"a record {kind!r} stands where none can")
        if batch is not None:
            raise self.refuse(row, "the batch has no control (8): the file is truncated")
        if not file.control:
            raise self.refuse(row, "the file has no control (9): it is truncated")
        self.check_file(file, control_row)
        if self.problems:
            raise InputRefused(self.problems)
        return file

    def check_header(self, row: int, said: str) -> None:
        if said[1:3] != "01" or said[34:37] != "094" or said[37:39] != "10" or said[39] != "1":
            self.wrong(row, "file header", f"{said[:40]!r} is not the header of an ACH file")
        if not re.fullmatch(r"[0-9]{6}(?:[0-9]{4}|    )", said[23:33]):
            self.wrong(row, "creation date", f"{said[23:33]!r} is not a date and time (YYMMDDHHMM)")
        else:
            self.check_date(row, "creation date", said[23:29])
        destination = said[3:13].strip()
        if not is_routing_number(destination):
            self.wrong(row, "destination", f"{destination!r} is not a routing number")
        origin = said[13:23].strip()
        if not re.fullmatch(r"[0-9]{1,10}", origin):
            self.wrong(row, "origin", f"{origin!r} is not the originator's number")

    def check_date(self, row: int, name: str, said: str) -> None:
        try:
            date(2000 + int(said[:2]), int(said[2:4]), int(said[4:6]))
        except ValueError:
            self.wrong(row, name, f"{said!r} is not a date (YYMMDD)")

    def number(self, row: int, name: str, said: str) -> int:
        if said.isascii() and said.isdigit():
            return int(said)
        self.wrong(row, name, f"{said!r} is not a number")
        return 0

    def batch(self, row: int, said: str) -> AchBatch:
        iat = said[50:53] == "IAT" or said[4:10] == "IATCOR"
        batch = AchBatch(
            said[1:4], said[4:20].strip(), said[40:50].strip(), said[50:53], said[53:63].strip(), said[69:75],
            said[79:87], self.number(row, "batch number", said[87:94]), said, row,
        )  # fmt: skip
        if iat:
            batch.sec = "IAT"
        if batch.service_class not in ("200", "220", "225", "280"):
            self.wrong(row, "service class", f"{batch.service_class!r} is not a service class")
        if batch.sec not in _SECS:
            self.wrong(row, "entry class", f"{batch.sec!r} is not an entry class")
        if not re.fullmatch(r"[0-9A-Za-z ]{8}", batch.odfi):
            self.wrong(row, "ODFI", f"{batch.odfi!r} is not a bank's eight digits")
        if not batch.description:
            self.wrong(row, "description", "the batch has no description")
        if batch.effective.strip() and batch.effective != "000000":
            self.check_date(row, "effective date", batch.effective)
        return batch

    def entry(self, batch: AchBatch, row: int, said: str) -> None:
        code = said[1:3]
        if code not in _CREDITS | _DEBITS | _ADV:
            self.wrong(row, "transaction code", f"{code!r} is not a transaction code")
        routing = said[3:12]
        if not is_routing_number(routing):
            self.wrong(row, "routing number", f"{routing!r} fails its check digit")
        if batch.sec == "ADV":
            amount, account, name, trace = said[27:39], said[12:27], said[54:76], said[79:94]
        elif batch.sec == "IAT":
            amount, account, name, trace = said[29:39], said[39:74], "", said[79:94]
        else:
            amount, account, name, trace = said[29:39], said[12:29], said[54:76], said[79:94]
        minor = self.number(row, "amount", amount)
        self.number(row, "trace number", trace)
        if code in _PRENOTES and minor:
            self.wrong(row, "amount", "a prenote moves no money, but says an amount")
        if said[78] not in "01":
            self.wrong(row, "addenda indicator", f"{said[78]!r} is neither 0 nor 1")
        if not account.strip():
            self.wrong(row, "account", "the account number is missing")
        entry = Entry(
            code, routing, account.strip(), minor, said[39:54].strip(), name.strip(), trace, (), said, row
        )
        self.check_addenda(batch)
        if (batch.service_class == "220" and not entry.is_credit) or (
            batch.service_class == "225" and entry.is_credit and code not in _RETURNED
        ):
            self.wrong(
                row, "transaction code", f"{code} does not belong in a batch of class {batch.service_class}"
            )
        batch.entries.append(entry)

    def addenda(self, batch: AchBatch, row: int, said: str) -> None:
        kind = said[1:3]
        if kind not in _ADDENDA_TYPES:
            self.wrong(row, "addenda type", f"{kind!r} is not a type of addenda")
        entry = batch.entries[-1]
        known = Addenda(kind, said[3:83].strip(), said, row)
        if len(entry.addenda) >= 9_999:
            raise self.refuse(row, "an entry has more than 9,999 addenda")
        batch.entries[-1] = Entry(
            entry.code, entry.routing, entry.account, entry.amount_minor, entry.identification, entry.name,
            entry.trace, (*entry.addenda, known), entry.said, entry.row,
        )  # fmt: skip
        self.number(row, "sequence", said[87:94])
        self.check_places(row, kind, said)
        if kind in ("98", "99") and not said[79:94].strip("0"):
            self.wrong(row, "trace number", "the trace number is zero")
        if kind == "05" and said[87:94] != entry.trace[8:]:
            self.wrong(
                row, "sequence", f"the addenda is of entry {said[87:94]}, it stands behind {entry.trace[8:]}"
            )
        if kind == "99" and not re.fullmatch(r"R[0-9]{2}", said[3:6]):
            self.wrong(row, "return code", f"{said[3:6]!r} is not a return code")
        if kind == "98" and not re.fullmatch(r"C[0-9]{2}", said[3:6]):
            self.wrong(row, "change code", f"{said[3:6]!r} is not a change code")
        if kind == "98" and said[3:6] not in outcomes.CHANGES:
            self.wrong(row, "change code", f"{said[3:6]} is not a change that the rules have")

    def check_places(self, row: int, kind: str, said: str) -> None:
        """Fields that must stand in their place: a row that lost a letter says something else."""
        if kind in ("05", "17", "18"):
            self.number(row, "addenda sequence", said[83:87])
        if kind in ("13", "14", "18") and said[38:40] not in ("01", "02", "03"):
            self.wrong(row, "identification qualifier", f"{said[38:40]!r} is not 01, 02 or 03")
        if kind in ("12", "16"):
            for name, place in (("city and state", said[3:38]), ("country and postal code", said[38:73])):
                if "*" not in place or not place.rstrip().endswith("\\"):
                    self.wrong(row, name, f"{place.strip()!r} is not two parts with * between and \\ behind")

    def check_addenda(self, batch: AchBatch) -> None:
        """Of the entry before: its indicator says whether addenda follow."""
        if not batch.entries:
            return
        entry = batch.entries[-1]
        if (entry.said[78] == "1") != bool(entry.addenda):
            found = "follow" if entry.addenda else "are missing"
            self.wrong(entry.row, "addenda indicator", f"it is {entry.said[78]!r}, but addenda {found}")

    def check_batch(self, batch: AchBatch, row: int) -> None:
        self.check_addenda(batch)
        said = batch.control
        adv = batch.sec == "ADV"
        debit, credit = ((20, 40), (40, 60)) if adv else ((20, 32), (32, 44))
        count, hash_, debits, credits = _sums(batch)
        if not batch.entries:
            self.wrong(batch.row, None, "the batch has no entry")
        self.compare(row, "service class", said[1:4], batch.service_class)
        self.compare(row, "entry count", said[4:10], f"{count:06d}")
        self.compare(row, "entry hash", said[10:20], f"{hash_:010d}")
        self.compare(row, "debit total", said[slice(*debit)], f"{debits:0{debit[1] - debit[0]}d}")
        self.compare(row, "credit total", said[slice(*credit)], f"{credits:0{credit[1] - credit[0]}d}")
        if not adv:
            company = said[44:54].strip()
            blank = batch.sec == "IAT" and not company
            self.compare(row, "company id", company, "" if blank else batch.company_id)
        self.compare(row, "ODFI", said[79:87], batch.odfi)
        self.compare(row, "batch number", said[87:94], f"{batch.number:07d}")

    def compare(self, row: int, name: str, said: str, found: str) -> None:
        if said != found:
            self.wrong(row, name, f"the {name} is {said!r}; its records give {found!r}")

    def check_file(self, file: AchFile, row: int) -> None:
        said = file.control
        adv = any(b.sec == "ADV" for b in file.batches)
        debit, credit = ((31, 51), (51, 71)) if adv else ((31, 43), (43, 55))
        sums = [_sums(batch) for batch in file.batches]
        if not file.batches:
            self.wrong(row, None, "the file has no batch")
        self.compare(row, "batch count", said[1:7], f"{len(file.batches):06d}")
        self.compare(row, "entry count", said[13:21], f"{sum(s[0] for s in sums):08d}")
        self.compare(row, "entry hash", said[21:31], f"{sum(s[1] for s in sums) % 10**10:010d}")
        width = debit[1] - debit[0]
        self.compare(row, "debit total", said[slice(*debit)], f"{sum(s[2] for s in sums):0{width}d}")
        self.compare(row, "credit total", said[slice(*credit)], f"{sum(s[3] for s in sums):0{width}d}")


def _sums(batch: AchBatch) -> tuple[int, int, int, int]:
    count = sum(1 + len(e.addenda) for e in batch.entries)
    hash_ = sum(int(e.routing[:8]) if e.routing[:8].isdigit() else 0 for e in batch.entries) % 10**10
    debits = sum(e.amount_minor for e in batch.entries if not e.is_credit)
    credits = sum(e.amount_minor for e in batch.entries if e.is_credit)
    return count, hash_, debits, credits


# what came back ---------------------------------------------------------------------------------------


def outcomes_of(file: AchFile) -> list[Outcome]:
    """Returns and notifications of change, by the trace number the payment left with."""
    found = []
    for batch in file.batches:
        for entry in batch.entries:
            for addenda in entry.addenda:
                if addenda.kind in ("98", "99"):
                    found.append(_outcome(entry, addenda))
    return found


def _outcome(entry: Entry, addenda: Addenda) -> Outcome:
    said = addenda.said
    code, trace = said[3:6], said[6:21].strip()
    if addenda.kind == "98":
        meaning = outcomes.CHANGES[code][0]
        fields = outcomes.corrected(code, said[35:64])
        return Outcome("changed", trace, code, meaning, outcomes.UPDATE, amount_minor=entry.amount_minor,
                       name=entry.name, corrected=fields, row=addenda.row)  # fmt: skip
    meaning, step = outcomes.of_return(code)
    return Outcome("returned", trace, code, meaning, step, amount_minor=entry.amount_minor, name=entry.name,
                   information=said[35:79].strip(), row=addenda.row)  # fmt: skip
