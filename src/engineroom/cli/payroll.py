"""`engineroom payroll`: verifying the engine, explaining a payslip, checking an old run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engineroom.cli.ground import client_named, identity, on_the_ground, seal_everything
from engineroom.kernel.errors import EngineroomError, NotFound

app = typer.Typer(no_args_is_help=True, help="The engine, and what it did.")


@app.command()
def verify(
    file: Annotated[
        Path,
        typer.Argument(help="a CSV of cases: id, jurisdiction, year, frequency, kind, inputs, expected, ..."),
    ],
    kind: Annotated[list[str] | None, typer.Option(help="only this kind; may be given several times")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="what is not supported counts as failed")] = False,
) -> None:
    """Run published cases through the engine: one line per kind, every failure with both numbers."""
    from engineroom.payroll.engine.verify import verify_file

    report = verify_file(file, kind or None)
    for line in report.lines():
        typer.echo(line)
    if report.failed or (strict and report.not_supported) or (not report.passed and not report.not_supported):
        raise typer.Exit(1)


@app.command()
@on_the_ground
def explain(
    reference: Annotated[str, typer.Argument(help="RUN/PAYROLLNUMBER, as printed on the payslip")],
    client: Annotated[str | None, typer.Option(help="look at this client only")] = None,
) -> None:
    """How a payslip was calculated, line by line, with rule, version and source."""
    from engineroom.foundation import thread
    from engineroom.foundation.access.selectors import my_clients
    from engineroom.foundation.audit import services as audit
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import selectors

    user = identity()
    with acting(user):
        clients = [c for c in my_clients() if client is None or c.code.lower() == client.lower()]
    for row in clients:
        with acting(user, write=row.id):
            found = thread.FIND["payslip"](reference)
            if found:
                audit.record(
                    "read", subject_kind="payslip", subject_id=found[0], detail={"purpose": "explain"}
                )
                for line in selectors.explanation(found[0]):
                    typer.echo(line)
                break
    else:
        raise NotFound(f"there is no payslip {reference!r} that you may see; write RUN/PAYROLLNUMBER")
    seal_everything()


@app.command()
@on_the_ground
def recheck(
    client: Annotated[str, typer.Argument(help="the client's code")],
    run: Annotated[int, typer.Argument(help="the run's number")],
) -> None:
    """Calculate an old run again from its kept inputs: the same pennies, or which version differs."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import selectors

    user = identity()
    row = client_named(user, client)
    with acting(user, read=[row.id]):
        pay_run = selectors.run_numbered(run)
        if pay_run is None or pay_run.published_id is None:
            raise NotFound(f"{row.code} has no calculated pay run {run}")
        result = selectors.recheck(pay_run)
    if result.ok:
        typer.echo(f"{result.payslips} payslips: the same pennies")
        return
    blame = []
    if not result.same_rules:
        blame.append(f"rules were {result.rules_then[:16]}, are {result.rules_now[:16]}")
    if result.engine_then != result.engine_now:
        blame.append(f"engine was {result.engine_then}, is {result.engine_now}")
    raise EngineroomError(
        f"{result.different} of {result.payslips} payslips differ: "
        f"{'; '.join(blame) or 'same rules and engine: a defect'}"
    )


@app.command()
@on_the_ground
def runs(client: Annotated[str, typer.Argument(help="the client's code")]) -> None:
    """Pay runs, latest first: how far each is, what is to be done next, and by whom."""
    from engineroom.cli import show
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import review, selectors
    from engineroom.ui.display import format_day

    user = identity()
    with acting(user, read=[client_named(user, client).id]):
        rows = [review.as_it_stands(row) for row in selectors.runs().rows]
    if not rows:
        typer.echo("no pay run yet: bring a week's timesheets in, then calculate the run of its pay date")
        return
    show.table(
        "Pay runs",
        ("run", "paid", "people", "state", "next", "by"),
        [
            (
                str(row.number),
                format_day(row.pay_date),
                str(row.people),
                row.state.word,
                row.state.next,
                row.state.by,
            )
            for row in rows
        ],
    )


@app.command()
@on_the_ground
def reopen(
    client: Annotated[str, typer.Argument(help="the client's code")],
    run: Annotated[int, typer.Argument(help="the run's number")],
    reason: Annotated[str, typer.Option()],
    mine: Annotated[bool, typer.Option("--mine", help="take back your own approval only")] = False,
) -> None:
    """Take the approval of an unreleased run back, to change what it pays; the reason stays in the trail."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import reopening, selectors

    user = identity()
    with acting(user, write=client_named(user, client).id):
        pay_run = selectors.run_numbered(run)
        if pay_run is None:
            raise NotFound(f"{client} has no pay run {run}")
        take = reopening.take_back_approval if mine else reopening.reopen_pay_run
        done = take(pay_run.id, reason=reason)
    typer.echo(f"pay run {run} is reopened; {done.approvals} approvals no longer hold")
    seal_everything()


@app.command()
@on_the_ground
def abandon(
    client: Annotated[str, typer.Argument(help="the client's code")],
    run: Annotated[int, typer.Argument(help="the run's number")],
    reason: Annotated[str, typer.Option()],
) -> None:
    """Give the hours of an unreleased run back, to be paid on another pay date."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import selectors, services

    user = identity()
    with acting(user, write=client_named(user, client).id):
        pay_run = selectors.run_numbered(run)
        if pay_run is None:
            raise NotFound(f"{client} has no pay run {run}")
        done = services.abandon_pay_run(pay_run.id, reason=reason)
    typer.echo(f"pay run {run} is abandoned; {done.timesheets} timesheets wait for another run")
    seal_everything()
