"""CSV and QIF: statements that do not say whose they are, nor how their dates and amounts are meant.

`detect` looks at the file and proposes a mapping; a person confirms it once, and it is remembered with the
bank account by the file's shape (`fingerprint`: the headings of a CSV). `read` then reads with it: nothing of
the meaning is guessed there, and a cell that is not as the mapping says is refused by row and column.

Where a column holds the balance after each line, every step must be the line's amount, and the first and last
are the statement's opening and closing.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any, Literal

from engineroom.kernel.errors import InputRefused, Problem, errors_of
from engineroom.kernel.money import NotMoney, format_minor, parse_minor
from engineroom.settlement.formats.reading import CORRECT, MAX_PROBLEMS, simple_line, squeezed
from engineroom.settlement.formats.record import Account, Balance, Line, Statement, Transaction

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_COLUMNS = 200
LOOKED_AT = 300
"""Rows that the detection looks at."""

Format = Literal["csv", "qif"]

ROLES = {
    "date": "date booked",
    "value_date": "value date",
    "amount": "amount, signed",
    "debit": "money out",
    "credit": "money in",
    "balance": "balance after the line",
    "name": "payer or payee",
    "text": "text",
    "reference": "the bank's reference",
    "code": "kind of movement",
}
"""What a column can mean; a text may stand in several."""

DATE_FORMATS = {
    "%d/%m/%Y": "27/11/2026", "%m/%d/%Y": "11/27/2026", "%Y-%m-%d": "2026-11-27", "%d.%m.%Y": "27.11.2026",
    "%d-%m-%Y": "27-11-2026", "%d/%m/%y": "27/11/26", "%m/%d/%y": "11/27/26", "%d.%m.%y": "27.11.26",
    "%Y/%m/%d": "2026/11/27", "%d %b %Y": "27 Nov 2026", "%d-%b-%Y": "27-Nov-2026", "%d-%b-%y": "27-Nov-26",
    "%d %b %y": "27 Nov 26", "%Y%m%d": "20261127", "%d-%m-%y": "27-11-26", "%m-%d-%Y": "11-27-2026",
}  # fmt: skip

_HEADINGS: dict[str, tuple[str, ...]] = {
    "balance": ("balance", "saldo", "solde", "kontostand"),
    "debit": ("debit", "money out", "paid out", "withdrawal", "soll", "débit", "af", "payments out", "out"),
    "credit": ("credit", "money in", "paid in", "deposit", "haben", "crédit", "bij", "receipts", "in"),
    "amount": ("amount", "betrag", "umsatz", "montant", "bedrag", "importe", "value", "sum"),
    "value_date": ("value date", "valuta", "wertstellung", "date de valeur", "valutadatum", "rentedatum"),
    "date": ("date", "datum", "buchungstag", "booked", "posted", "posting date", "transaction date", "fecha"),
    "reference": ("bank reference", "transaction id", "fitid", "referenz", "transaction reference"),
    "code": ("type", "transaction type", "code", "buchungstext", "art"),
    "name": ("name", "payee", "payer", "counterparty", "counter party", "beneficiary", "empfänger",
             "merchant", "auftraggeber", "begünstigter", "naam", "bénéficiaire"),
    "text": ("description", "details", "memo", "narrative", "verwendungszweck", "libellé", "particulars",
             "text", "omschrijving", "reference", "concepto", "mededelingen"),
}  # fmt: skip


@dataclass(frozen=True)
class Mapping:
    """What a person confirmed of files of one shape. columns: role and place, from 0."""

    format: Format
    date_format: str
    decimal: Literal[".", ","] = "."
    delimiter: str = ","
    encoding: Literal["utf-8", "cp1252", "utf-16"] = "utf-8"
    heading_row: int = 0
    """Rows before the first line: the heading, and what stands above it. 0: there is none."""

    columns: tuple[tuple[str, int], ...] = ()
    debits_are_negative: bool = True
    """Of a signed amount. False: money out stands without a sign, money in with one."""

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "columns": [list(pair) for pair in self.columns]}

    @classmethod
    def of(cls, said: dict[str, Any]) -> Mapping:
        known = {f.name: said[f.name] for f in fields(cls) if f.name in said}
        known["columns"] = tuple((str(role), int(place)) for role, place in said.get("columns", ()))
        return cls(**known)

    def places(self, role: str) -> list[int]:
        return [place for name, place in self.columns if name == role]


@dataclass
class Detected:
    """What a file looks like. doubts: what a person must decide; sample: first rows as they would be read."""

    mapping: Mapping
    fingerprint: str
    headings: list[str]
    sample: list[list[str]]
    doubts: list[str] = field(default_factory=list)


# looking at a file ------------------------------------------------------------------------------------


def fingerprint_of(data: bytes, format_: Format) -> str:
    """The shape of a file: a CSV's headings (or how many columns it has), and QIF's one shape."""
    if format_ == "qif":
        return hashlib.sha256(b"qif").hexdigest()
    text, _ = _decoded(data[: 256 * 1024])
    delimiter = _delimiter(text)
    rows = _rows(text, delimiter)
    at = _heading_at(rows)
    shape = (
        [" ".join(cell.lower().split()) for cell in rows[at - 1]]
        if at
        else [str(max(map(len, rows), default=0))]
    )
    return hashlib.sha256(repr((delimiter, shape)).encode()).hexdigest()


def detect(data: bytes, format_: Format) -> Detected:
    """A proposal of what the file means. Raises InputRefused when it has no lines at all."""
    if not data.strip():
        raise InputRefused([Problem("the file is empty", "Download the statement from the bank again")])
    return _detect_qif(data) if format_ == "qif" else _detect_csv(data)


def _detect_csv(data: bytes) -> Detected:
    text, encoding = _decoded(data[: 256 * 1024])
    delimiter = _delimiter(text)
    rows = _rows(text, delimiter)
    at = _heading_at(rows)
    width = max(map(len, rows[at:]), default=0)
    headings = [cell.strip() for cell in rows[at - 1]] if at else [f"column {n + 1}" for n in range(width)]
    body = [row for row in rows[at:] if any(cell.strip() for cell in row)]
    if not body or width > MAX_COLUMNS:
        problem = "the file has no lines below its headings" if not body else "the file has too many columns"
        raise InputRefused([Problem(problem, "Download the statement as CSV, MT940 or OFX again")])
    cells = [[row[n].strip() if n < len(row) else "" for row in body] for n in range(width)]
    columns = _columns(headings, cells)
    doubts: list[str] = []
    dates = [c for role, n in columns if role == "date" for c in cells[n] if c]
    date_format, more = _date_format(dates)
    doubts += more
    money = [
        c for role, n in columns if role in ("amount", "debit", "credit", "balance") for c in cells[n] if c
    ]
    decimal, more = _decimal(money)
    doubts += more
    roles = {role for role, _ in columns}
    if "date" not in roles:
        doubts.append("no column looks like the day: choose it")
    if not roles & {"amount", "debit", "credit"}:
        doubts.append("no column looks like the amount: choose it")
    if "amount" in roles and not any(c.startswith(("-", "(")) or c.endswith("-") for c in money):
        doubts.append("no amount is negative: nothing says which lines are money out")
    mapping = Mapping("csv", date_format, decimal, delimiter, encoding, at, tuple(columns))
    return Detected(mapping, fingerprint_of(data, "csv"), headings, body[:8], doubts)


def _detect_qif(data: bytes) -> Detected:
    text, encoding = _decoded(data)
    days = [row[1:].strip() for row in text.splitlines() if row[:1] == "D" and row[1:].strip()]
    amounts = [
        row[1:].strip() for row in text.splitlines() if row[:1] == "T" and row[1:2] in "-+0123456789.,"
    ]
    parts = [p for day in days[:LOOKED_AT] if (p := _qif_parts(day))]
    first, second = [p[0] for p in parts], [p[1] for p in parts]
    doubts = []
    if any(len(str(n)) == 4 for n in first):
        date_format = "%Y-%m-%d"
    elif any(n > 12 for n in second) and not any(n > 12 for n in first):
        date_format = "%m/%d/%Y"
    else:
        date_format = "%d/%m/%Y"
        if not any(n > 12 for n in first):
            doubts.append("no day is above 12: nothing says whether day or month comes first")
    decimal, more = _decimal(amounts[:LOOKED_AT])
    mapping = Mapping("qif", date_format, decimal, encoding=encoding)
    sample = [[day, amount] for day, amount in zip(days[:8], amounts[:8], strict=False)]
    return Detected(mapping, fingerprint_of(data, "qif"), ["day", "amount"], sample, [*doubts, *more])


def _decoded(data: bytes) -> tuple[str, Literal["utf-8", "cp1252", "utf-16"]]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data[: len(data) // 2 * 2].decode("utf-16", "replace"), "utf-16"
    try:
        return data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError as error:
        if error.start > len(data) - 4 and error.end == len(data):  # cut in the middle of a letter
            return data[: error.start].decode("utf-8-sig"), "utf-8"
        return data.decode("cp1252", "replace"), "cp1252"


def _delimiter(text: str) -> str:
    """The sign that gives the most rows the same number of columns, more than one."""
    best, winner = (0, 0), ","
    for delimiter in (",", ";", "\t", "|"):
        widths = [len(row) for row in _rows(text, delimiter) if len(row) > 1]
        if not widths:
            continue
        usual = max(set(widths), key=widths.count)
        score = (widths.count(usual), usual)
        if score > best:
            best, winner = score, delimiter
    return winner


def _rows(text: str, delimiter: str, most: int = LOOKED_AT) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            rows.append(row)
            if len(rows) >= most:
                break
    except csv.Error:
        return rows
    return rows


def _heading_at(rows: list[list[str]]) -> int:
    """How many rows come before the first line: a line has a day in it and an amount."""
    for n, row in enumerate(rows):
        if any(_looks_like_day(c) for c in row) and sum(bool(_looks_like_money(c)) for c in row):
            above = [k for k in range(n) if sum(bool(c.strip()) for c in rows[k]) > 1]
            return above[-1] + 1 if above and len(rows[above[-1]]) >= len(row) - 1 else 0
    return 0


def _looks_like_day(cell: str) -> bool:
    return (
        any(_day(cell.strip(), format_) for format_ in DATE_FORMATS)
        if 6 <= len(cell.strip()) <= 11
        else False
    )


def _looks_like_money(cell: str) -> bool:
    return re.fullmatch(r"[-+(]?[£$€]?\s?[0-9][0-9.,' ]*[)-]?", cell.strip()) is not None


def _day(text: str, date_format: str) -> date | None:
    try:
        return datetime.strptime(text, date_format).replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _columns(headings: Sequence[str], cells: list[list[str]]) -> list[tuple[str, int]]:
    """Roles by the words of the heading where the cells can be what they say."""
    found: list[tuple[str, int]] = []
    taken: set[int] = set()
    for role, words in _HEADINGS.items():
        for n, heading in enumerate(headings):
            if n in taken or n >= len(cells) or not _names(heading, words) or not _can_be(role, cells[n]):
                continue
            if role != "text" and any(role == r for r, _ in found):
                continue
            found.append((role, n))
            taken.add(n)
    if not any(role == "date" for role, _ in found):
        day = next((n for n, c in enumerate(cells) if n not in taken and _can_be("date", c) and any(c)), None)
        found += [("date", day)] if day is not None else []
        taken |= {day} if day is not None else set()
    if not any(role in ("amount", "debit", "credit") for role, _ in found):
        money = next(
            (n for n, c in enumerate(cells) if n not in taken and _can_be("amount", c) and any(c)), None
        )
        found += [("amount", money)] if money is not None else []
    if any(role == "amount" for role, _ in found):
        found = [(role, n) for role, n in found if role not in ("debit", "credit")]
    return sorted(found, key=lambda pair: pair[1])


def _names(heading: str, words: Sequence[str]) -> bool:
    heading = " ".join(re.sub(r"[^\w ]", " ", heading.lower()).split())
    return any(heading == word or (len(word) > 3 and word in heading) for word in words)


def _can_be(role: str, cells: list[str]) -> bool:
    said = [c for c in cells if c]
    if role in ("date", "value_date"):
        return all(_looks_like_day(c) for c in said)
    if role in ("amount", "debit", "credit", "balance"):
        return all(_looks_like_money(c) for c in said)
    return True


def _date_format(days: list[str]) -> tuple[str, list[str]]:
    fits = [f for f in DATE_FORMATS if days and all(_day(d, f) for d in days)]
    if not fits:
        return "%d/%m/%Y", ["the days are in no form that we know: choose it"] if days else []
    if len({_day(d, f) for f in fits[:2] for d in days[:1]}) > 1 and any(
        "m/%d" in f or "m-%d" in f for f in fits
    ):
        return fits[0], ["no day is above 12: nothing says whether day or month comes first"]
    return fits[0], []


def _decimal(amounts: list[str]) -> tuple[Literal[".", ","], list[str]]:
    points = sum(bool(re.search(r"\.[0-9]{1,2}\)?-?$", a)) for a in amounts)
    commas = sum(bool(re.search(r",[0-9]{1,2}\)?-?$", a)) for a in amounts)
    if points and commas:
        return "." if points >= commas else ",", ["some amounts end with a point, some with a comma"]
    return (",", []) if commas else (".", [])


# reading ----------------------------------------------------------------------------------------------


def problems_of(mapping: Mapping) -> list[Problem]:
    """What is wrong with a mapping before anything is read with it."""
    found = []

    def wrong(field_: str, problem: str, remedy: str) -> None:
        found.append(Problem(problem, remedy, field=field_))

    if mapping.date_format not in DATE_FORMATS:
        wrong("date_format", f"{mapping.date_format!r} is not a form of days", "Choose one of the list")
    if mapping.decimal not in (".", ","):
        wrong("decimal", f"{mapping.decimal!r} is not a decimal sign", "Choose a point or a comma")
    if mapping.format == "qif":
        return found
    if mapping.delimiter not in (",", ";", "\t", "|"):
        wrong("delimiter", f"{mapping.delimiter!r} is not a delimiter", "Choose one of the list")
    if mapping.encoding not in ("utf-8", "cp1252", "utf-16"):
        wrong("encoding", f"{mapping.encoding!r} is not an encoding we read", "Choose one of the list")
    if not 0 <= mapping.heading_row <= LOOKED_AT:
        wrong("heading_row", "the heading is too far down", f"Choose a row up to {LOOKED_AT}")
    for role, place in mapping.columns:
        if role not in ROLES or not 0 <= place < MAX_COLUMNS:
            wrong("columns", f"{role!r} in column {place + 1} is not known", "Choose one of the list")
    for role in ROLES:
        if role != "text" and len(mapping.places(role)) > 1:
            wrong("columns", f"two columns are the {ROLES[role]}", "Choose one")
    if not mapping.places("date"):
        wrong("columns", "no column is the day", "Choose the column of the day booked")
    signed, split = bool(mapping.places("amount")), bool(mapping.places("debit") or mapping.places("credit"))
    if signed == split:
        problem = (
            "both a signed amount and money in or out are chosen" if signed else "no column is the amount"
        )
        wrong("columns", problem, "Choose one signed amount, or money in and money out")
    return found


def read(
    data: bytes, mapping: Mapping, *, account: Account, currency: str, file_name: str | None = None
) -> tuple[Statement, list[Line]]:
    """The statement of a mapped file and its lines. Raises InputRefused with every problem by row."""
    problems = problems_of(mapping)
    if problems:
        raise InputRefused(problems)
    reading = _Reading(mapping, currency, file_name)
    if len(data) > MAX_FILE_BYTES:
        reading.wrong(None, None, f"the file is larger than {MAX_FILE_BYTES // 1024 // 1024} MB", "Split it")
        raise InputRefused(reading.problems)
    try:
        text = data.decode("utf-8-sig" if mapping.encoding == "utf-8" else mapping.encoding)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        problem = f"a letter is not {mapping.encoding}, which the layout says"
        raise InputRefused([Problem(problem, "Confirm the layout anew", file_name, row)]) from None
    lines = list(reading.qif(text) if mapping.format == "qif" else reading.csv(text))
    if errors_of(reading.problems):
        raise InputRefused(reading.problems)
    return reading.statement(lines, account), lines


class _Reading:
    """One mapped file."""

    def __init__(self, mapping: Mapping, currency: str, file_name: str | None) -> None:
        self.mapping = mapping
        self.currency = currency
        self.file_name = file_name
        self.problems: list[Problem] = []
        self.balances: list[tuple[int, int, int]] = []
        """(row, amount, balance) of the lines that say one, in the file's order."""

        self.opening: int | None = None

    def wrong(self, row: int | None, field_: str | None, problem: str, remedy: str = CORRECT) -> None:
        self.problems.append(Problem(problem, remedy, self.file_name, row, field_))
        if len(self.problems) >= MAX_PROBLEMS:
            raise InputRefused(
                self.problems, f"reading stopped after {MAX_PROBLEMS} problems; nothing was taken"
            )

    def csv(self, text: str) -> Iterator[Line]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self.mapping.delimiter)
        places = {role: self.mapping.places(role) for role in ROLES}
        needed = max(place for _, place in self.mapping.columns) + 1
        ordinal = 0
        try:
            for number, row in enumerate(reader, 1):
                if number <= self.mapping.heading_row or not any(cell.strip() for cell in row):
                    continue
                if len(row) < needed and places["date"][0] >= len(row):
                    self.wrong(reader.line_num, None, f"the row has {len(row)} columns, the layout {needed}")
                    continue
                row += [""] * (needed - len(row))
                line = self.csv_line(row, reader.line_num, ordinal + 1, places)
                if line is not None:
                    ordinal += 1
                    yield line
        except csv.Error as error:
            self.wrong(reader.line_num, None, f"the row cannot be read: {error}")

    def csv_line(
        self, row: list[str], number: int, ordinal: int, places: dict[str, list[int]]
    ) -> Line | None:
        def cell(role: str) -> str:
            return row[places[role][0]].strip() if places[role] else ""

        booked = self.day(number, "date", cell("date"))
        value = self.day(number, "value date", cell("value_date")) if cell("value_date") else booked
        amount = self.csv_amount(
            number, cell("amount"), cell("debit"), cell("credit"), bool(places["amount"])
        )
        if booked is None or amount is None:
            return None
        if cell("balance"):
            balance = self.minor(number, "balance", cell("balance"))
            if balance is not None:
                self.balances.append((number, amount, balance))
        text = squeezed(*(row[place] for place in places["text"]))
        out = io.StringIO()
        csv.writer(out, delimiter=self.mapping.delimiter, lineterminator="").writerow(row)
        return self.line(ordinal, number, amount, booked, value, cell("name"), text, cell("reference"),
                         cell("code"), out.getvalue())  # fmt: skip

    def csv_amount(self, number: int, amount: str, debit: str, credit: str, signed: bool) -> int | None:
        if signed:
            minor = self.minor(number, "amount", amount)
            return minor if minor is None or self.mapping.debits_are_negative else -minor
        if (
            debit
            and credit
            and self.minor(number, "money out", debit)
            and self.minor(number, "money in", credit)
        ):
            self.wrong(number, "amount", "the row has both money in and money out")
            return None
        if credit and (minor := self.minor(number, "money in", credit)):
            return minor
        if debit:
            minor = self.minor(number, "money out", debit)
            return None if minor is None else -abs(minor)
        if not credit:
            self.wrong(number, "amount", "the row has neither money in nor money out")
            return None
        return self.minor(number, "money in", credit)

    def line(self, ordinal: int, number: int, amount: int, booked: date, value: date | None, name: str,
             text: str | None, reference: str, code: str, said: str) -> Line:  # fmt: skip
        transaction = Transaction(
            amount_minor=amount,
            currency=self.currency,
            counterparty_name=squeezed(name),
            remittance_text=text,
        )
        return simple_line(
            ordinal, number, amount, self.currency, booked=booked, value=value, transaction=transaction,
            bank_reference=squeezed(reference), code=squeezed(code), said=said.replace("\0", " "),
        )  # fmt: skip

    def qif(self, text: str) -> Iterator[Line]:
        """Records of !Type:Bank, Cash, CCard and Oth; other lists (categories, classes) hold no movements."""
        kept: dict[str, str] = {}
        said: list[str] = []
        splits: list[str] = []
        inside, begun, ordinal, movements = False, 0, 0, False
        for number, raw in enumerate(text.splitlines(), 1):
            row = raw.strip("\0 \t")
            if not row or row.startswith("#"):
                continue
            if row[:1] == "!":
                kind = row[1:].lower().replace(" ", "")
                inside = kind in ("type:bank", "type:cash", "type:ccard", "type:otha", "type:othl")
                movements = movements or inside
                if kind.startswith("type:invst"):
                    problem = "a list of securities is left out: it is not of a bank account"
                    remedy = "Nothing is to be done if the account's own list is in the file"
                    self.problems.append(Problem(problem, remedy, self.file_name, number, row, "warning"))
                kept, said, splits = {}, [], []
                continue
            if not inside:
                continue
            if row[:1] != "^":
                begun = begun if said else number
                said.append(raw)
                if len(said) > 2_000:
                    self.wrong(number, None, "a record goes on for more than 2,000 rows")
                    return
                if row[:1] == "$":
                    splits.append(row[1:])
                elif row[:1] not in ("S", "E", "%"):
                    kept.setdefault(row[:1], row[1:].strip())
                continue
            if said and (line := self.qif_line(kept, splits, said, begun, ordinal + 1)):
                ordinal += 1
                yield line
            kept, said, splits = {}, [], []
        if said and (line := self.qif_line(kept, splits, said, begun, ordinal + 1)):
            yield line  # the last record of some files has no ^
        elif not movements:
            self.wrong(
                1, "!Type", "the file has no list of movements (!Type:Bank)", "Download the account's list"
            )

    def qif_line(
        self, kept: dict[str, str], splits: list[str], said: list[str], number: int, ordinal: int
    ) -> Line | None:
        parts = _qif_parts(kept.get("D", ""))
        booked = None
        if parts is None:
            self.wrong(number, "D", f"{kept.get('D', '')[:20]!r} is not a day")
        else:
            first, second, third = parts
            if self.mapping.date_format.startswith("%Y"):
                year, month, day = first, second, third
            elif self.mapping.date_format.startswith("%m"):
                month, day, year = first, second, third
            else:
                day, month, year = first, second, third
            try:
                booked = date(year if year > 99 else 2000 + year if year < 80 else 1900 + year, month, day)
            except ValueError:
                self.wrong(number, "D", f"{kept['D'][:20]!r} is not a day as the layout says")
        amount = self.minor(number, "T", kept.get("T") or kept.get("U") or "")
        if booked is None or amount is None:
            return None
        if splits:
            known = [self.minor(number, "$", part) for part in splits]
            if None not in known and sum(k or 0 for k in known) != amount:
                total = format_minor(sum(k or 0 for k in known), self.currency)
                problem = (
                    f"the parts of the record add to {total}, it says {format_minor(amount, self.currency)}"
                )
                self.problems.append(
                    Problem(problem, "Match the line as a whole", self.file_name, number, "$", "warning")
                )
        text = squeezed(kept.get("M"))
        return self.line(ordinal, number, amount, booked, booked, kept.get("P", ""), text, "", "",
                         "\n".join(said))  # fmt: skip

    def day(self, row: int, field_: str, text: str) -> date | None:
        found = _day(text, self.mapping.date_format)
        if found is None:
            example = DATE_FORMATS[self.mapping.date_format]
            self.wrong(row, field_, f"{text[:30]!r} is not a day as {example}, which the layout says")
        return found

    def minor(self, row: int, field_: str, text: str) -> int | None:
        """Minor units: a sign before or behind or brackets, a currency sign, thousands in their places."""
        plain = text.strip().replace("\u2212", "-").replace("\xa0", "").replace(" ", "").replace("'", "")
        negative = plain.startswith(("-", "(")) or plain.endswith("-")
        plain = plain.strip("+-()").lstrip("£$€")
        if self.mapping.decimal == ",":
            plain = plain.replace(".", "\t").replace(",", ".").replace("\t", ",")
        try:
            minor = parse_minor(plain.lstrip("-"), self.currency)
        except NotMoney:
            self.wrong(row, field_, f"{text[:40]!r} is not an amount as the layout says")
            return None
        return -minor if negative else minor

    def statement(self, lines: list[Line], account: Account) -> Statement:
        days = [line.booking_date for line in lines if line.booking_date]
        opening, closing = self.chain()
        if not lines and not errors_of(self.problems):
            self.wrong(None, None, "the file has no lines")
        if errors_of(self.problems):
            raise InputRefused(self.problems)
        first, last = (min(days), max(days)) if days else (None, None)
        ends = (("OPBD", opening, first), ("CLBD", closing, last))
        balances = [
            Balance(code, minor, self.currency, day) for code, minor, day in ends if minor is not None
        ]
        return Statement(
            # one name for all: lines without a reference are known again in files that overlap
            id=self.mapping.format.upper(),
            message_id=None, electronic_sequence_number=None, legal_sequence_number=None, page_number=None,
            is_last_page=None, created_at=None, period_start=first, period_end=last, account=account,
            currency=self.currency, balances=tuple(balances), opening_minor=opening, closing_minor=closing,
            source_line=1, lines=iter(lines), problems=self.problems,
        )  # fmt: skip

    def chain(self) -> tuple[int | None, int | None]:
        """Opening and closing, from balances that follow one another up or down the file."""
        if not self.balances:
            return None, None
        down = all(before[2] + after[1] == after[2] for before, after in pairwise(self.balances))
        if down:
            return self.balances[0][2] - self.balances[0][1], self.balances[-1][2]
        up = self.balances[::-1]
        for before, after in pairwise(up):
            if before[2] + after[1] != after[2]:
                sums = f"{format_minor(before[2], self.currency)} and {format_minor(after[1], self.currency)}"
                problem = f"the balance {format_minor(after[2], self.currency)} is not {sums}"
                self.wrong(after[0], "balance", problem, "Lines are missing or changed: download it again")
                break
        return up[0][2] - up[0][1], up[-1][2]


def _qif_parts(text: str) -> tuple[int, int, int] | None:
    """The three numbers of a QIF day: 22/12/2017, 2/10'2020, 1/ 1'00, 2018-01-02."""
    match = re.fullmatch(r"\s*([0-9]{1,4})\s*[/.\-']\s*([0-9]{1,2})\s*[/.\-']\s*([0-9]{1,4})\s*", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None
