"""`engineroom`: every command, and how errors become exit codes.

Exit codes: 0 done, 1 refused, 2 the input has problems (or the command was mistyped), 3 another person must
act.
"""

from __future__ import annotations

import sys
from datetime import datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from engineroom.cli.arguments import Client
from engineroom.cli.ground import identity, on_the_ground, options, seal_everything
from engineroom.kernel.errors import EngineroomError, InputRefused

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

Day = Annotated[datetime, typer.Option("--pay-date", formats=["%Y-%m-%d"], help="the day people are paid")]
Out = Annotated[
    Path | None, typer.Option(help="folder for papers: payslips, invoices, payment file, journal, report")
]


@app.callback()
def start(
    as_email: Annotated[
        str | None, typer.Option("--as", help="who you are; proven by your token", metavar="EMAIL")
    ] = None,
) -> None:
    """The back office of many companies, run by one firm, every number answerable."""
    options.email = as_email


@app.command("import")
@on_the_ground
def import_(
    client: Client,
    kind: Annotated[
        str,
        typer.Argument(
            help="people, customers, orders, assignments, tax-details, timesheets, leave, workbook, statement"
        ),
    ],
    files: Annotated[
        list[Path], typer.Argument(help="CSV or XLSX; statements as camt.053, MT940, OFX or BAI2")
    ],
    preview: Annotated[
        bool, typer.Option("--preview", help="say what the files hold and take nothing")
    ] = False,
) -> None:
    """Take files in: all rows of all files, or nothing and every problem."""
    from engineroom.cli import days

    days.import_files(identity(), client, kind, files, preview=preview)
    seal_everything()


@app.command()
@on_the_ground
def calculate(
    client: Client,
    pay_date: Day,
    out: Annotated[Path | None, typer.Option(help="folder for the run's report and the drafts")] = None,
) -> None:
    """Calculate the pay run of a pay date, publish it, and prepare its invoices."""
    from engineroom.cli import days

    days.calculate(identity(), client, pay_date.date(), out)
    seal_everything()


@app.command()
@on_the_ground
def approve(
    client: Client,
    pay_date: Day,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask; needs --content")] = False,
    content: Annotated[
        str | None,
        typer.Option(metavar="HASH[,HASH]", help="the content of run and invoices that you looked at"),
    ] = None,
) -> None:
    """Show the run and its invoices, and approve exactly them. Not for whoever prepared them."""
    from engineroom.cli import consent, days

    consent.require_content(yes=yes, content=content)
    days.approve(identity(), client, pay_date.date(), content=content, yes=yes)
    seal_everything()


@app.command()
@on_the_ground
def release(
    client: Client,
    pay_date: Day,
    out: Annotated[
        Path | None,
        typer.Option(help="folder for payment file, journal and report; `post` makes the papers"),
    ] = None,
) -> None:
    """Release the approved run and its invoices: obligations are posted, the payment file is written, the
    invoices are issued. Not for whoever approved them."""
    from engineroom.cli import days

    days.release(identity(), client, pay_date.date(), out)
    seal_everything()


@app.command()
@on_the_ground
def post(client: Client, pay_date: Day, out: Out = None) -> None:
    """Make payslips and invoices of a released pay date as PDF; issue and post the invoices first, if that is
    left to do."""
    from engineroom.cli import days

    days.post(identity(), client, pay_date.date(), out)
    seal_everything()


@app.command()
@on_the_ground
def clear(
    client: Client,
    statements: Annotated[
        list[Path] | None,
        typer.Argument(help="statements, camt.053, MT940, OFX or BAI2; none: look again at what is open"),
    ] = None,
) -> None:
    """Take bank statements in and clear their lines; what is not certain stays an exception with its
    reason."""
    from engineroom.cli import days

    days.clear(identity(), client, statements or [])
    seal_everything()


@app.command()
@on_the_ground
def payday(
    client: Client,
    pay_date: Day,
    timesheets: Annotated[list[Path], typer.Option(help="timesheet files; may be given several times")],
    more: Annotated[
        list[Path] | None, typer.Argument(help="further timesheet files", metavar="[FILE]...")
    ] = None,
    statement: Annotated[list[Path] | None, typer.Option(help="bank statements to clear at the end")] = None,
    out: Out = None,
    approve_as: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="demo only: a second person approves")
    ] = None,
    release_as: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="demo only: another person releases")
    ] = None,
) -> None:
    """From timesheets to paid people, billed customers and balanced books; stops where another person must
    act."""
    from engineroom.cli import days

    days.payday(
        identity(),
        client,
        pay_date.date(),
        [*timesheets, *(more or [])],
        statements=statement or [],
        out=out,
        approve_as=approve_as,
        release_as=release_as,
    )


@app.command()
@on_the_ground
def trace(
    reference: Annotated[
        str,
        typer.Argument(
            help="PAYROLLNUMBER@DATE (an hour), RUN/PAYROLLNUMBER (a payslip), an "
            "invoice number, a bank line's reference, a payment file's"
        ),
    ],
    client: Annotated[str | None, typer.Option(help="look at this client only")] = None,
) -> None:
    """The thread of an hour, payslip, invoice, payment file or bank line, both ways, as a tree."""
    from engineroom.cli import threads

    threads.trace(identity(), reference, client)
    seal_everything()


@app.command()
@on_the_ground
def demo(
    reset: Annotated[
        bool, typer.Option("--reset", help="throw the demonstration away and start over")
    ] = False,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="end when the work is done")] = False,
    out: Annotated[Path, typer.Option(help="where files go")] = Path("out/demo"),
) -> None:
    """Load the sample firm and run a payday from timesheets to cleared bank lines."""
    # The demonstration stands above the command line, so it is found by name, as rooms find each other's
    # commands.
    import_module("engineroom.demo.show").run(out, reset=reset, serve=not no_serve)


@app.command()
@on_the_ground
def init(
    firm: Annotated[str, typer.Option(help="the firm's name")],
    owner_email: Annotated[str, typer.Option(help="the first owner")],
    owner_name: Annotated[str, typer.Option()],
) -> None:
    """Prepare the database and make the firm, its house client and its first owner."""
    from engineroom.cli import firm as firms

    firms.init(firm, owner_email, owner_name)


@app.command()
@on_the_ground
def serve(
    host: Annotated[str, typer.Option(help="the address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="processes, each of four threads")] = 2,
    access_log: Annotated[bool, typer.Option("--access-log", help="print a line for each request")] = False,
) -> None:
    """Serve the pages and work through background jobs, until stopped."""
    from engineroom.cli import serving

    serving.require_free(host, port)
    typer.echo(f"serving http://{host}:{port} (stop with Ctrl-C)")
    serving.serve(host, port, workers, access_log=access_log)


@app.command()
@on_the_ground
def worker() -> None:
    """Work through background jobs until stopped: chunks of runs, sealing, requeueing what a dead worker
    left."""
    from engineroom.foundation.jobs.worker import run_worker

    run_worker()


@app.command()
@on_the_ground
def seal() -> None:
    """Chain what was written since the last time. A running worker does this by itself."""
    seal_everything()


def main() -> None:
    """Run a command; turn refusals into sentences and exit codes."""
    _add_groups()
    try:
        app()
    except EngineroomError as error:
        sys.exit(_explain(error))
    except Exception as error:
        if (refusal := _refusal_of_the_database(error)) is None:
            raise
        typer.secho(refusal, err=True, fg="red")
        sys.exit(1)


def _refusal_of_the_database(error: Exception) -> str | None:
    """What a guard said, or that there are no tables; None: a defect, to be seen whole."""
    from engineroom.foundation.refusals import refusal

    if (refused := refusal(error)) is not None:
        return str(refused)
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or ""
    if state in ("42P01", "42883"):  # undefined table, undefined function
        return (
            "this database is not set up for this version "
            f"({str(cause).splitlines()[0]}); see: engineroom init --help, db migrate --help"
        )
    return None


def _explain(error: EngineroomError) -> int:
    from engineroom.cli import show

    if isinstance(error, InputRefused):
        typer.secho(str(error).split("\n")[0], err=True, fg="red")
        show.problems(error.problems)
        return 2
    if type(error).__name__ == "AnotherPersonNeeded":
        typer.echo(str(error))
        return 3
    typer.secho(str(error), err=True, fg="red")
    return 1


@cache
def _add_groups() -> None:
    """Once in a process: a second `main` finds them there."""
    from engineroom.cli import (  # serving adds `users invite`, pay_... to `payroll`
        bank,
        books,
        cases,
        einvoice,
        engagement,
        firm,
        hours,
        leave,
        pay_approvals,  # noqa: F401
        pay_books,  # noqa: F401
        pay_inputs,  # noqa: F401
        payroll,
        people,
        procedures,
        rates,
        serving,  # noqa: F401
        sla,
        supplier_bills,
        templates,
        workforce,
    )

    app.add_typer(payroll.app, name="payroll")
    app.add_typer(people.app, name="people")
    app.add_typer(procedures.app, name="procedures")
    app.add_typer(cases.cases, name="cases")
    app.add_typer(cases.mail, name="mail")
    app.add_typer(workforce.app, name="workforce")
    app.add_typer(leave.app, name="leave")
    app.add_typer(hours.app, name="hours")
    app.add_typer(sla.app, name="sla")
    app.add_typer(templates.app, name="templates")
    app.add_typer(books.ledger, name="ledger")
    app.add_typer(books.audit, name="audit")
    app.add_typer(rates.app, name="rates")
    app.add_typer(books.billing, name="billing")
    app.add_typer(books.payments, name="payments")
    app.add_typer(bank.bank, name="bank")
    app.add_typer(firm.db, name="db")
    app.add_typer(firm.token, name="token")
    app.add_typer(firm.users, name="users")
    app.add_typer(firm.clients, name="clients")
    app.add_typer(firm.keys, name="keys")
    app.add_typer(engagement.engagement, name="engagement")
    app.add_typer(einvoice.einvoice, name="einvoice")
    app.add_typer(einvoice.invoices, name="invoices")
    app.add_typer(supplier_bills.supplier_bills, name="supplier-bills")
