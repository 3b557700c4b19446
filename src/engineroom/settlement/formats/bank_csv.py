"""A bank's own CSV of payments: the columns, signs and names that a layout says, written and read again.

layout = Layout(columns=(("Beneficiary", "name"), ("Sort code", "sort_code"), ("Amount", "amount")))
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from engineroom.kernel.errors import InputRefused, Problem
from engineroom.kernel.money import NotMoney, format_minor, parse_minor
from engineroom.settlement.formats.batch import BankAccount, Batch, Payer, Payment, problems_of, refuse

FIELDS: dict[str, Callable[[Batch, Payment], str]] = {
    "reference": lambda b, p: p.reference,
    "name": lambda b, p: p.name,
    "iban": lambda b, p: p.account.iban,
    "bic": lambda b, p: p.account.bic,
    "sort_code": lambda b, p: p.account.sort_code,
    "account": lambda b, p: p.account.number,
    "routing": lambda b, p: p.account.routing,
    "kind": lambda b, p: p.account.kind,
    "amount": lambda b, p: format_minor(p.amount_minor, p.currency, grouped=False),
    "currency": lambda b, p: p.currency,
    "text": lambda b, p: p.text,
    "country": lambda b, p: p.country,
    "payer_account": lambda b, p: b.payer.account.iban or b.payer.account.sort_code + b.payer.account.number,
    "pay_date": lambda b, p: b.pay_date.isoformat(),
    "batch": lambda b, p: b.id,
}
DANGEROUS = ("=", "+", "-", "@", "\t")
"""What a spreadsheet takes for a formula when a cell begins with it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a bank wants. columns: heading and field, or heading and '=fixed text'. needs: as in batch."""

    columns: tuple[tuple[str, str], ...]
    delimiter: Literal[",", ";", "\t", "|"] = ","
    decimal: Literal[".", ","] = "."
    date_format: str = "%d/%m/%Y"
    encoding: Literal["ascii", "cp1252", "utf-8", "utf-8-sig"] = "utf-8"
    header: bool = True
    line_end: Literal["\r\n", "\n"] = "\r\n"
    needs: tuple[str, ...] = ("sort_code",)
    currencies: tuple[str, ...] = ()


def write(batch: Batch, layout: Layout) -> bytes:
    """The bytes of the file. Raises InputRefused with every problem: its row is the payment's place."""
    problems = [
        *_problems_of_layout(layout),
        *problems_of(batch, needs=layout.needs, currencies=layout.currencies),
    ]
    fields = [field for _, field in layout.columns]
    rows: list[list[str]] = []
    for row, payment in enumerate(batch.payments, 1):
        cells = [_cell(batch, payment, field, layout) for field in fields]
        for heading, cell in zip((h for h, _ in layout.columns), cells, strict=True):
            if cell.startswith(DANGEROUS) or "\n" in cell or "\r" in cell:
                problem = f"{cell[:30]!r} would be a formula or a new row in a spreadsheet"
                problems.append(Problem(problem, "Write it otherwise", row=row, field=heading))
            if not _fits(cell, layout.encoding):
                problem = f"{cell[:30]!r} has letters that {layout.encoding} does not have"
                problems.append(Problem(problem, "Write it in plain letters", row=row, field=heading))
        rows.append(cells)
    refuse(problems)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=layout.delimiter, lineterminator=layout.line_end)
    if layout.header:
        writer.writerow([heading for heading, _ in layout.columns])
    writer.writerows(rows)
    return out.getvalue().encode(layout.encoding)


def _fits(cell: str, encoding: str) -> bool:
    if cell.isascii():
        return True
    try:
        cell.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _cell(batch: Batch, payment: Payment, field: str, layout: Layout) -> str:
    if field.startswith("="):
        return field[1:]
    if field == "pay_date":
        return batch.pay_date.strftime(layout.date_format)
    said = FIELDS[field](batch, payment) if field in FIELDS else ""
    return said.replace(".", ",") if field == "amount" and layout.decimal == "," else said


def _problems_of_layout(layout: Layout) -> list[Problem]:
    unknown = [field for _, field in layout.columns if not field.startswith("=") and field not in FIELDS]
    found = [
        Problem(f"there is no field {field!r}", f"Choose of {', '.join(FIELDS)}", field="columns")
        for field in unknown
    ]
    if "amount" not in (field for _, field in layout.columns):
        found.append(Problem("no column says the amount", "Add one", field="columns"))
    return found


def read(data: bytes, layout: Layout, *, id_: str, made: datetime, payer: Payer, currency: str = "GBP",
         file_name: str | None = None) -> Batch:  # fmt: skip
    """A file of this layout as the batch it was written of. Raises InputRefused with every problem by row."""
    problems = _problems_of_layout(layout)
    try:
        text = data.decode(layout.encoding)
    except UnicodeDecodeError:
        raise InputRefused(
            [Problem(f"the file is not {layout.encoding}", "Make it again", file_name)]
        ) from None
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=layout.delimiter))
    headings = [heading for heading, _ in layout.columns]
    first = 1
    if layout.header:
        if not rows or rows[0] != headings:
            problems.append(Problem("the headings are not the layout's", "Make it again", file_name, 1))
        rows, first = rows[1:], 2
    refuse(problems)
    payments, pay_date = [], None
    for number, row in enumerate(rows, first):
        if len(row) != len(headings):
            problem = f"the row has {len(row)} columns, not {len(headings)}"
            problems.append(Problem(problem, "Make it again", file_name, number))
            continue
        said = {field: cell for (_, field), cell in zip(layout.columns, row, strict=True)}
        money = said.get("currency", currency)
        try:
            amount = parse_minor(said["amount"].replace(layout.decimal, "."), money)
            if "pay_date" in said:
                pay_date = datetime.strptime(said["pay_date"], layout.date_format).replace(tzinfo=UTC).date()
        except (NotMoney, ValueError) as error:
            problems.append(Problem(str(error), "Make it again", file_name, number))
            continue
        payments.append(_payment(said, amount, money))
    refuse(problems)
    return Batch(id_, made, pay_date or made.date(), payer, tuple(payments))


def _payment(said: dict[str, str], amount: int, currency: str) -> Payment:
    account = BankAccount(
        iban=said.get("iban", ""), sort_code=said.get("sort_code", ""), routing=said.get("routing", ""),
        number=said.get("account", ""), kind="savings" if said.get("kind") == "savings" else "checking",
        bic=said.get("bic", ""),
    )  # fmt: skip
    return Payment(
        said.get("reference", ""), said.get("name", ""), account, amount, currency, said.get("text", ""),
        said.get("country", ""),
    )  # fmt: skip
