"""`engineroom supplier-bills`: what suppliers ask for, entered, read from e-invoices, approved, withdrawn."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engineroom.cli import consent, show
from engineroom.cli.arguments import Client, Reason
from engineroom.cli.ground import client_named, identity, on_the_ground, reading, seal_everything, writing
from engineroom.kernel.errors import InputRefused, Problem
from engineroom.kernel.money import NotMoney, parse_minor

if TYPE_CHECKING:
    from engineroom.billing.models import SupplierBill
    from engineroom.billing.supplier_bills import BillLine

supplier_bills = typer.Typer(no_args_is_help=True, help="Bills of suppliers: drafts, approved, then posted.")

Number = Annotated[int, typer.Argument(help="the bill's number here, as in `supplier-bills list`")]
OptionalDay = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]


@supplier_bills.command("list")
@on_the_ground
def listed(client: Client, state: Annotated[str, typer.Option(help="draft, posted, withdrawn")] = "") -> None:
    """Bills of suppliers, latest first, with what is left to pay."""
    from engineroom.billing import supplier_bills as bills

    with reading(client):
        found = bills.bills(state=state).rows
    if not found:
        typer.echo("no supplier bill is there")
        return
    rows = [
        (
            b.number,
            b.supplier,
            b.reference,
            b.due,
            b.shown_state,
            show.money(b.gross, b.currency),
            show.money(b.open, b.currency),
        )
        for b in found
    ]
    headings = ("bill", "supplier", "its number", "due", "state", "amount", "open")
    show.table("Supplier bills", headings, rows, right=[5, 6])


@supplier_bills.command("enter")
@on_the_ground
def enter(
    client: Client,
    supplier: Annotated[str, typer.Argument(help="the supplier's code")],
    reference: Annotated[str, typer.Argument(help="the supplier's own number of the bill")],
    issued: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])],
    line: Annotated[
        list[str], typer.Option(metavar="NET=WHAT FOR", help='as "120.00=Paper"; once for each line')
    ],
    vat: Annotated[str, typer.Option(help="as the bill states it; 0 where none")],
    due: OptionalDay = None,
    account: Annotated[str, typer.Option(help="where its lines go")] = "6000",
    name: Annotated[str, typer.Option(help="of a new supplier")] = "",
    note: Annotated[str, typer.Option()] = "",
) -> None:
    """Enter a bill by hand, as a draft that another person approves."""
    from engineroom.billing import supplier_bills as bills

    with writing(client) as row:
        kept = bills.enter_bill(
            bills.BillSaid(
                supplier=supplier,
                supplier_name=name,
                reference=reference,
                issue_date=issued.date(),
                due=due.date() if due else None,
                lines=tuple(_line(each, account, row.currency) for each in line),
                vat=_money(vat, row.currency, "--vat"),
                note=note,
            )
        )
    _say_kept(kept.number, kept.content_hash, client)


def _line(text: str, account: str, currency: str) -> BillLine:
    from engineroom.billing.supplier_bills import BillLine

    amount, _, what = text.partition("=")
    return BillLine(what, _money(amount, currency, "--line"), account)


def _money(text: str, currency: str, field: str) -> int:
    try:
        return parse_minor(text.strip(), currency)
    except NotMoney as error:
        raise InputRefused([Problem(str(error), "Write it as 120.00", field=field)]) from None


def _say_kept(number: int, content_hash: str, client: str) -> None:
    short = consent.short(content_hash)
    typer.echo(f"bill {number} is a draft, content {short}")
    typer.echo(f"another person approves it: engineroom supplier-bills approve {client} {number}")


@supplier_bills.command("take")
@on_the_ground
def take(
    client: Client,
    file: Annotated[Path, typer.Argument(help="an e-invoice that came in: UBL or CII, XML or gzip")],
    account: Annotated[str, typer.Option(help="where its lines go")] = "6000",
    supplier: Annotated[str, typer.Option(help="its code, where its VAT number does not say")] = "",
) -> None:
    """Make a draft of an e-invoice. One that breaks a rule is kept, with the rule's own words, and is no
    bill."""
    from engineroom.billing import einvoices, received

    try:
        with writing(client), file.open("rb") as stream:
            kept = einvoices.keep_checked(stream, name=file.name, permission="accounting.prepare")
    except OSError as error:
        raise InputRefused(
            [Problem(str(error.strerror), "Name a file that can be read", file=str(file))]
        ) from None
    with writing(client):
        done = received.bill_from_einvoice(kept.id, account=account, supplier=supplier)
    _say_kept(done.number, done.content_hash, client)


@supplier_bills.command("show")
@on_the_ground
def shown(client: Client, number: Number) -> None:
    """One bill, line by line."""
    from engineroom.billing import supplier_bills as bills

    with reading(client):
        _print(bills.find(number))


def _print(row: SupplierBill) -> None:
    from engineroom.billing import supplier_bills as bills

    view = bills.bill(row.number)
    due = f"issued {row.issue_date}, due {row.due}"
    typer.echo(f"bill {row.number}: {row.reference} of {row.supplier.name}, {due}, {view.shown_state}")
    rows: list[tuple[object, ...]] = [
        (line.line_no, line.description, line.account.code, show.money(line.net, row.currency))
        for line in bills.lines_of(row)
    ]
    rows += [("", "VAT", "", show.money(row.vat, row.currency))]
    rows += [("", "in all", "", show.money(row.gross, row.currency))]
    show.table("Lines", ("line", "what for", "account", "net"), rows, right=[3])
    for words in (row.note, row.reason):
        if words:
            typer.echo(words)
    typer.echo(f"content {consent.short(row.content_hash)}")


@supplier_bills.command("account")
@on_the_ground
def account(
    client: Client,
    number: Number,
    code: Annotated[str, typer.Argument(help="the account")],
    line: Annotated[int | None, typer.Option(help="this line alone")] = None,
) -> None:
    """Say where a draft's line goes, or where all of them go."""
    from engineroom.billing import supplier_bills as bills

    with writing(client):
        kept = bills.set_bill_account(bills.find(number).id, code, line_no=line)
    typer.echo(f"bill {number} goes to {code}, content {consent.short(kept.content_hash)}")


@supplier_bills.command("approve")
@on_the_ground
def approve(
    client: Client,
    number: Number,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask; needs --content")] = False,
    content: Annotated[str, typer.Option(metavar="HASH", help="the content that you looked at")] = "",
) -> None:
    """Show a draft, and approve and post exactly that. Not for whoever made part of it."""
    from engineroom.billing import supplier_bills as bills
    from engineroom.foundation.tenancy.scope import acting

    consent.require_content(yes=yes, content=content)
    user = identity()
    client_id = client_named(user, client).id
    with acting(user, read=[client_id]):
        row = bills.find(number)
        _print(row)
    content_hash = bytes(row.content_hash).hex()
    consent.agree("Approve and post exactly this?", [content_hash], yes=yes, content=content)
    with acting(user, write=client_id):
        bills.approve_bill(row.id, content_hash=content_hash)
    typer.echo(f"bill {number} is posted")
    seal_everything()


@supplier_bills.command("withdraw")
@on_the_ground
def withdraw(client: Client, number: Number, reason: Reason) -> None:
    """Take a draft back; it stays, with its reason."""
    from engineroom.billing import supplier_bills as bills

    with writing(client):
        bills.withdraw_bill(bills.find(number).id, reason=reason)
    typer.echo(f"bill {number} is withdrawn")
