"""`engineroom bank`: statements taken in, and their lines that no rule clears."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from engineroom.cli import consent, show
from engineroom.cli.arguments import Client, Reason
from engineroom.cli.ground import client_named, identity, on_the_ground, reading, seal_everything, writing
from engineroom.kernel.errors import EngineroomError, InputRefused, NotFound, Problem
from engineroom.kernel.money import NotMoney, parse_minor

if TYPE_CHECKING:
    from engineroom.settlement.by_hand import Part, Said
    from engineroom.settlement.clearing import OpenException
    from engineroom.settlement.formats.mapped import Detected, Mapping
    from engineroom.settlement.likely import Likely
    from engineroom.settlement.models import BankLine

bank = typer.Typer(no_args_is_help=True, help="Bank statements, and lines that no rule clears.")

LineName = Annotated[str, typer.Argument(help="the bank's reference or the id, as in `bank lines`")]


@bank.command("lines")
@on_the_ground
def lines(client: Client) -> None:
    """Lines that wait, with the reason, what they may be, and what was said of them."""
    from engineroom.settlement.clearing import open_exceptions
    from engineroom.settlement.likely import suggestions

    with reading(client):
        guesses = suggestions()
        rows = [
            (
                _name(line),
                line.booked,
                show.money(line.amount, line.currency),
                _who(line),
                e.reason,
                e.detail + _said_of(e) + _guessed(guesses.get(line.id)),
            )
            for e in open_exceptions()
            for line in [e.line]
        ]
    if not rows:
        typer.echo("no line waits")
        return
    show.table("Lines that wait", ("line", "booked", "amount", "from or to", "why", ""), rows, right=[2])


def _guessed(guess: Likely | None) -> str:
    return f"\nlikely {guess.names} ({guess.score} of 100): {guess.why}" if guess else ""


@bank.command("import")
@on_the_ground
def import_(
    client: Client,
    files: Annotated[
        list[Path], typer.Argument(help="camt.053, MT940, OFX, QFX, BAI2; CSV, QIF with a layout")
    ],
    preview: Annotated[
        bool, typer.Option("--preview", help="say what the files hold and take nothing")
    ] = False,
) -> None:
    """Take statements in: all lines of all files, or nothing and every problem."""
    from engineroom.cli import days

    days.import_files(identity(), client, "statement", files, preview=preview)
    seal_everything()


@bank.command("layout")
@on_the_ground
def layout(
    client: Client,
    file: Annotated[Path, typer.Argument(help="a CSV or QIF file of the shape to be confirmed")],
    account: Annotated[str, typer.Option(help="the bank account such files are of")] = "main",
    column: Annotated[
        list[str],
        typer.Option(metavar="ROLE=COLUMN", help="date=1, amount=3, text=4; replaces what was found"),
    ] = [],  # noqa: B006 typer reads it, nobody writes it
    date_format: Annotated[str, typer.Option(help="as %d/%m/%Y or %m/%d/%Y")] = "",
    decimal: Annotated[str, typer.Option(help="the sign before pennies: . or ,")] = "",
    out_is_positive: Annotated[
        bool, typer.Option("--out-is-positive", help="money out stands without a sign")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="confirm what is shown; without it nothing is kept")
    ] = False,
) -> None:
    """Show what a CSV or QIF file is taken to mean; with --yes, remember it for files of this shape."""
    from engineroom.settlement import layouts

    found = _detected(file)
    mapping = _as_said(found, column, date_format, decimal, out_is_positive)
    _print_layout(found, mapping)
    if not yes:
        typer.echo("nothing is kept; to confirm this, add --yes")
        return
    with writing(client):
        layouts.confirm_layout(account, found.fingerprint, mapping.as_dict())
    typer.echo(f"files of this shape are statements of {account} from now on")


def _detected(file: Path) -> Detected:
    from engineroom.settlement.formats import mapped, statements

    if not file.is_file():
        raise InputRefused([Problem("there is no such file", "Check the name", file.name)])
    with file.open("rb") as stream:
        data = stream.read(mapped.MAX_FILE_BYTES)
    form = statements.format_of(data[:65536])
    if form not in ("csv", "qif"):
        what = statements.NAMES.get(form, "in no format that we read")
        problem = Problem(
            f"the file is {what}: it needs no layout", "engineroom bank import takes it", file.name
        )
        raise InputRefused([problem])
    return mapped.detect(data, "qif" if form == "qif" else "csv")


def _as_said(
    found: Detected, columns: list[str], date_format: str, decimal: str, out_is_positive: bool
) -> Mapping:
    from engineroom.settlement.formats import mapped

    said = found.mapping.as_dict()
    if columns:
        pairs = [text.partition("=") for text in columns]
        if wrong := [role for role, _, place in pairs if role not in mapped.ROLES or not place.isdecimal()]:
            remedy = f"Write ROLE=COLUMN, the first column is 1; roles: {', '.join(mapped.ROLES)}"
            raise InputRefused(
                [Problem(f"{wrong[0]!r} is not a role with a column", remedy, field="--column")]
            )
        said["columns"] = [[role, int(place) - 1] for role, _, place in pairs]
    said["date_format"] = date_format or said["date_format"]
    said["decimal"] = decimal or said["decimal"]
    said["debits_are_negative"] = not out_is_positive
    mapping = mapped.Mapping.of(said)
    if problems := mapped.problems_of(mapping):
        raise InputRefused(problems)
    return mapping


def _print_layout(found: Detected, mapping: Mapping) -> None:
    from engineroom.settlement.formats import mapped

    meant = {place: mapped.ROLES[role] for role, place in mapping.columns}
    rows = [
        (n + 1, heading, meant.get(n, ""), found.sample[0][n] if n < len(found.sample[0]) else "")
        for n, heading in enumerate(found.headings)
    ]
    show.table("Columns", ("", "heading", "means", "first line"), rows)
    example = mapped.DATE_FORMATS[mapping.date_format]
    typer.echo(f"days as {example}, pennies behind {mapping.decimal!r}, letters {mapping.encoding}")
    for doubt in found.doubts:
        typer.echo(f"decide: {doubt}")


@bank.command("explain")
@on_the_ground
def explain(
    client: Client,
    line: LineName,
    reason: Reason,
    item: Annotated[
        list[str],
        typer.Option(metavar="REFERENCE[=AMOUNT]", help="an open item that it settles, whole or in part"),
    ] = [],  # noqa: B006 typer reads it, nobody writes it
    account: Annotated[str, typer.Option(help="the account for what the items leave")] = "",
) -> None:
    """Say what a line is. Nothing is posted before another person approves it."""
    from engineroom.settlement import by_hand

    with writing(client):
        row = _line(line)
        done = by_hand.explain_line(row.id, parts=_parts(row, item), account=account, reason=reason)
    typer.echo(f"said of {line}: content {consent.short(done.content_hash)}; another person approves it")


@bank.command("returned")
@on_the_ground
def returned(client: Client) -> None:
    """Payments that came back and are still owed, and the content that an approval of each names."""
    from engineroom.settlement import again

    with reading(client):
        found = again.returned_payments()
    if not found:
        typer.echo("nothing came back that is still owed")
        return
    rows = [
        (
            r.reference,
            r.payee,
            show.money(r.left, r.currency),
            r.returned_on,
            r.why,
            {"none": "none", "same": "the same still", "corrected": "another one"}[r.account],
            f"approved by {r.approved_by}" if r.is_approved else consent.short(r.content_hash),
        )
        for r in found
    ]
    headings = ("payment", "payee", "left", "came back", "why", "account", "content")
    show.table("Payments that came back", headings, rows, right=[2])


Payment = Annotated[str, typer.Argument(help="the payment's reference, as in `bank returned`")]


@bank.command("approve-again")
@on_the_ground
def approve_again(
    client: Client,
    payment: Payment,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    content: Annotated[str | None, typer.Option(help="the content you looked at")] = None,
    same_account: Annotated[
        bool, typer.Option("--same-account", help="the bank takes it now, on the account it came back from")
    ] = False,
) -> None:
    """Approve that what came back is paid again; another person pays it."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.settlement import again

    consent.require_content(yes=yes, content=content)
    user = identity()
    row = client_named(user, client)
    with acting(user, read=[row.id]):
        found = again.returned_named(payment)
    typer.echo(f"{found.payee}: {show.money(found.left, found.currency)}, account: {found.account}")
    consent.agree("Have it paid again?", [found.content_hash], yes=yes, content=content)
    with acting(user, write=row.id):
        again.approve_paying_again(
            found.payment_id, content_hash=found.content_hash, same_account=same_account
        )
    typer.echo(f"{found.reference} may be paid again; another person runs: engineroom bank pay-again")
    seal_everything()


@bank.command("pay-again")
@on_the_ground
def pay_again(
    client: Client,
    payment: Payment,
    on: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="the pay date")],
) -> None:
    """Write the file that pays it again, to the account that was approved."""
    from engineroom.settlement import again

    with writing(client):
        found = again.returned_named(payment)
        done = again.pay_again(found.payment_id, pay_date=on.date())
    typer.echo(f"payment file {done.file_name} is written: submit it by {done.submit_by}")


@bank.command("approve")
@on_the_ground
def approve(
    client: Client,
    line: LineName,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask; needs --content")] = False,
    content: Annotated[str, typer.Option(metavar="HASH", help="the content that you looked at")] = "",
) -> None:
    """Show what was said of a line, and approve and post exactly that. Not for whoever said it."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.settlement import by_hand

    consent.require_content(yes=yes, content=content)
    user = identity()
    client_id = client_named(user, client).id
    with acting(user, read=[client_id]):
        row = _line(line)
        said = by_hand.what_is_said(row.id)
        if said is None:
            raise NotFound(f"nothing waits to be approved of {line}")
        _print_said(row, said)
    consent.agree("Approve and post exactly this?", [said.content_hash], yes=yes, content=content)
    with acting(user, write=client_id):
        by_hand.approve_explanation(row.id, content_hash=said.content_hash)
    typer.echo(f"{line} is cleared and posted")
    seal_everything()


@bank.command("withdraw")
@on_the_ground
def withdraw(client: Client, line: LineName, reason: Reason) -> None:
    """Withdraw what was said of a line and is not approved yet."""
    from engineroom.settlement import by_hand

    with writing(client):
        by_hand.withdraw_explanation(_line(line).id, reason=reason)
    typer.echo(f"nothing is said of {line} any more")


@bank.command("undo")
@on_the_ground
def undo(client: Client, line: LineName, reason: Reason) -> None:
    """Take a clearing back: its posting is reversed, and the line waits for a person."""
    from engineroom.settlement import by_hand

    with writing(client):
        by_hand.undo_clearing(_line(line).id, reason=reason)
    typer.echo(f"{line} waits again; its posting is reversed")


def _name(row: BankLine) -> str:
    return row.bank_reference or str(row.id)


def _who(row: BankLine) -> str:
    return row.counterparty_name or row.remittance[:40]


def _line(text: str) -> BankLine:
    """By id, or by a reference that only one line has. Raises NotFound, EngineroomError."""
    from engineroom.foundation import thread
    from engineroom.foundation.tenancy.scope import current_client_id
    from engineroom.settlement.models import BankLine

    try:
        ids: Sequence[UUID] = [UUID(text)]
    except ValueError:
        ids = thread.FIND["bank_line"](text)
    rows = list(BankLine.objects.filter(client_id=current_client_id(), id__in=ids))
    if not rows:
        raise NotFound(f"there is no bank line {text!r}; `engineroom bank lines` lists those that wait")
    if len(rows) > 1:
        which = ", ".join(f"{r.id} of {r.booked}" for r in rows[:10])
        raise EngineroomError(f"{len(rows)} bank lines are called {text!r}: name one by its id: {which}")
    return rows[0]


def _parts(row: BankLine, said: list[str]) -> list[Part]:
    """REFERENCE[=AMOUNT] among the open items; without an amount the whole of what is open."""
    from engineroom.settlement.by_hand import Part, choosable

    items = choosable(row)
    parts, problems = [], []
    for text in said:
        reference, _, amount = text.partition("=")
        found = [i for i in items if i.reference.lower() == reference.strip().lower()]
        if len(found) != 1:
            what = f"{len(found)} open items are" if found else "no open item is"
            remedy = "`engineroom ledger open-items` lists them"
            problems.append(Problem(f"{what} called {reference!r}", remedy, field="--item"))
            continue
        try:
            whole = abs(found[0].open)
            parts.append(Part(found[0].id, parse_minor(amount, row.currency) if amount else whole))
        except NotMoney as error:
            problems.append(Problem(str(error), f"Write --item {reference}=12.50", field="--item"))
    if problems:
        raise InputRefused(problems)
    return parts


def _said_of(waits: OpenException) -> str:
    """What was said of a line and waits for a second person's yes, with its content; else nothing."""
    from engineroom.settlement import by_hand

    said = by_hand.what_is_said(waits.line.id) if waits.reason == by_hand.EXPLAINED else None
    if said is None:
        return ""
    parts = [f"{name} {amount}" for name, _, amount in _settles(said)]
    return f"; settles {', '.join(parts)}; content {consent.short(said.content_hash)}"


def _settles(said: Said) -> list[tuple[str, date | str, str]]:
    """(item or account, due, amount) of everything that was said of a line."""
    currency = said.row.line.currency
    rows: list[tuple[str, date | str, str]] = []
    for part, item in said.parts:
        name, due = (item.reference, item.due) if item else (str(part.item_id), "not open any more")
        rows.append((name, due, show.money(part.amount, currency)))
    if said.rest:
        rows.append((f"account {said.row.account_code}", "", show.money(abs(said.rest), currency)))
    return rows


def _print_said(row: BankLine, said: Said) -> None:
    title = f"{_name(row)} of {row.booked}: {show.money(row.amount, row.currency)}, {said.row.reason}"
    show.table(title, ("settles", "due", "amount"), _settles(said), right=[2])
    typer.echo(f"content {consent.short(said.content_hash)}")
