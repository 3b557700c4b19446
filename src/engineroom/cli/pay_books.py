"""`engineroom payroll`: where a run is posted, and what it owes to agencies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from engineroom.cli.arguments import Client, Reason, Run
from engineroom.cli.ground import on_the_ground, reading, writing
from engineroom.cli.payroll import BOOKS, app
from engineroom.kernel.errors import EngineroomError


@app.command("account-map", rich_help_panel=BOOKS)
@on_the_ground
def account_map(
    client: Client,
    day: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="a payday; else today")] = None,
) -> None:
    """Where runs of a payday are posted, line by line."""
    from engineroom.cli import show
    from engineroom.payroll import account_map as accounts

    with reading(client, recorded=True):
        known, lines = accounts.lines_on(day.date() if day else datetime.now(UTC).date())
    show.table(
        f"Account map, version {known.version}",
        ("line", "", "cost centre", "account", "", "said by"),
        [
            (
                r.code,
                r.label,
                r.cost_centre,
                r.account,
                r.account_name,
                r.wrong or ("the law" if r.is_default else "client"),
            )
            for r in lines
        ],
    )


@app.command("map-account", rich_help_panel=BOOKS)
@on_the_ground
def map_account(
    client: Client,
    line: Annotated[str, typer.Argument(help="as account-map prints it: cost.basic_pay")],
    account: Annotated[str, typer.Argument(help="an account of the book; empty for the law's own")],
    starts: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="paydays from this day")],
    reason: Annotated[str, typer.Option(help="why, kept with the map")],
    cost_centre: Annotated[str, typer.Option(help="only of people whose terms have it")] = "",
) -> None:
    """Post a line of runs to another account. Many at once: a file of the kind account-map."""
    from engineroom.payroll import account_map as accounts

    with writing(client):
        row = accounts.Mapped(line, account, starts.date(), cost_centre)
        done = accounts.map_accounts([row], reason=reason, source="cli")
    typer.echo(f"version {done.version} of the account map holds for paydays from {starts.date()}")


@app.command("journal", rich_help_panel=BOOKS)
@on_the_ground
def run_journal(
    client: Client,
    run: Run,
    out: Annotated[Path | None, typer.Option(help="write it as CSV here")] = None,
) -> None:
    """The journal of a run in the client's accounts; before its release, what it would post now."""
    from engineroom.cli import show
    from engineroom.payroll import journal, selectors

    with reading(client) as row:
        found = selectors.named_run(run)
        known, lines = journal.journal_of(found)
        written = journal.as_csv(found, lines, row.currency)
    if out:
        out.write_bytes(written)
        typer.echo(f"{len(lines)} lines are in {out}")
        return
    show.table(
        f"Journal of pay run {run}, version {known.version} of the account map",
        ("account", "", "", "cost centre", "customer", "debit", "credit"),
        [
            (
                r.account,
                r.account_name,
                r.label,
                r.cost_centre,
                r.customer,
                show.money(r.debit or None, row.currency),
                show.money(r.credit or None, row.currency),
            )
            for r in lines
        ],
        right=[5, 6],
    )


@app.command("liabilities", rich_help_panel=BOOKS)
@on_the_ground
def owed(
    client: Client,
    agency: Annotated[str | None, typer.Option(help="only this agency, such as HMRC")] = None,
    out: Annotated[Path | None, typer.Option(help="write the agency's latest year as a workbook")] = None,
) -> None:
    """What is owed to each agency by period: due, paid, left; and whether it ties to the books."""
    from engineroom.cli import show
    from engineroom.payroll import liabilities
    from engineroom.payroll.account_map import country
    from engineroom.payroll.liability_pages import as_workbook
    from engineroom.ui.display import format_day

    with reading(client) as row:
        agencies = [liabilities.agency_called(agency)] if agency else list(country().postings.agencies)
        found = [
            (a, periods, liabilities.tie_of(a, periods))
            for a in agencies
            if (periods := liabilities.owed_to(a))
        ]
    if out:
        if len(found) != 1:
            raise EngineroomError("a workbook is of one agency: name it with --agency")
        year = found[0][1][0].period.year
        out.write_bytes(
            as_workbook([o for o in reversed(found[0][1]) if o.period.year == year], row.currency)
        )
        typer.echo(f"{found[0][0].name}, {year}, is in {out}")
        return
    for a, periods, tie in found:
        show.table(
            f"{a.name}: {'ties to the books' if tie.ok else 'DIFFERS FROM THE BOOKS'}",
            ("period", "due on", "due", "paid", "left"),
            [
                (
                    o.period.name,
                    format_day(o.period.due),
                    *(show.money(amount, row.currency) for amount in (o.due, o.paid, o.left)),
                )
                for o in periods
            ],
            right=[2, 3, 4],
        )
    if not all(tie.ok for _, _, tie in found):
        raise EngineroomError("what is owed differs from the books; see above")


@app.command("say-liability", rich_help_panel=BOOKS)
@on_the_ground
def say_liability(
    client: Client,
    agency: Annotated[str, typer.Argument(help="such as HMRC")],
    name: Annotated[str, typer.Argument(help="employment_allowance, apprenticeship_levy, ...")],
    amount: Annotated[str, typer.Argument(help="in pounds; below zero takes back")],
    day: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="a day of the period it counts in")],
    reason: Reason,
) -> None:
    """Post what changes an agency's due and stands on no payslip."""
    from engineroom.kernel.money import parse_minor
    from engineroom.payroll import liabilities

    with writing(client) as row:
        done = liabilities.say_liability(
            agency, name, parse_minor(amount, row.currency), day=day.date(), reason=reason
        )
        period = liabilities.agency_called(agency).period_of(day.date())
    typer.echo(f"{name} of {amount} is posted and counts in {period.name}")
    assert done.entry_id
