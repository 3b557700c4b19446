"""`engineroom payroll`: what a run is given: schedules, items, orders, claims, the workbook of a period."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from engineroom.cli.arguments import Client, PayrollNumber, Reason
from engineroom.cli.ground import client_named, identity, on_the_ground, reading, seal_everything, writing
from engineroom.cli.payroll import GIVEN, app
from engineroom.kernel.errors import EngineroomError, NotFound

PayDate = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="the pay date of the period")]


@app.command(rich_help_panel=GIVEN)
@on_the_ground
def schedules(client: Client) -> None:
    """Pay schedules, with the period of today and those that follow."""
    from django.utils import timezone

    from engineroom.payroll import schedules as found

    with reading(client):
        for row in found.pay_schedules():
            typer.echo(f"{row.code}: {row.name}, {row.frequency}{f', closed {row.ends}' if row.ends else ''}")
            for p in found.periods_from(row, timezone.now().date(), 3):
                typer.echo(f"  {p.starts} to {p.ends}, inputs by {p.cut_off}, paid {p.paid}")


@app.command("schedule-add", rich_help_panel=GIVEN)
@on_the_ground
def schedule_add(
    client: Client,
    code: Annotated[str, typer.Argument(help="what it is called here, such as MONTHLY")],
    frequency: Annotated[str, typer.Argument(help="weekly, biweekly, four_weekly, monthly, quarterly, ...")],
    anchor: Annotated[datetime, typer.Argument(help="the first day of any one of its periods")],
    pay_rule: Annotated[
        str, typer.Option(help="day_of_month, day_of_next_month, last_banking_day or days_after")
    ],
    name: Annotated[str, typer.Option()],
    pay_day: Annotated[int, typer.Option(help="of the month, or days after the period's end")] = 0,
    cut_off_days: Annotated[int, typer.Option(help="banking days before pay day")] = 0,
    proration: Annotated[str, typer.Option(help="what a part of a period is counted in")] = "calendar_days",
) -> None:
    """Add a pay schedule of any frequency that the client's law knows."""
    from engineroom.payroll import schedules as found

    with writing(client):
        done = found.add_pay_schedule(
            code,
            name,
            frequency=frequency,
            anchor=anchor.date(),
            pay_rule=pay_rule,
            pay_day=pay_day,
            cut_off_days=cut_off_days,
            proration=proration,
        )
    typer.echo(f"schedule {done.code} is added; the period of today is paid {done.next_pay_date}")


@app.command("item-add", rich_help_panel=GIVEN)
@on_the_ground
def item_add(
    client: Client,
    payroll_number: PayrollNumber,
    element: Annotated[str, typer.Argument(help="a pay element, such as bonus_pay")],
    amount: Annotated[
        str, typer.Argument(help="as 250.00; below zero it comes last: every option, then -- -250.00")
    ],
    period: Annotated[datetime, typer.Option(help="a day of the pay period that it is for")],
    reason: Reason,
    run: Annotated[
        int | None, typer.Option(help="the run of another kind than regular that it is for")
    ] = None,
    hours: Annotated[str, typer.Option(help="of work that it pays, as 37.5 or 37:30")] = "",
) -> None:
    """Pay a person an amount of an element once.

    An amount below zero comes last, after -- and after every option:
    item-add CLIENT E1 bonus_pay --period 2026-06-30 --reason "paid twice" -- -250.00
    """
    from engineroom.kernel.money import parse_minor
    from engineroom.payroll import items, selectors
    from engineroom.people.selectors import named_person
    from engineroom.ui.fields import minutes_of

    minutes = minutes_of(hours) if hours else 0
    if minutes is None:
        raise EngineroomError(f"{hours} is no number of hours: write it as 37.5 or 37:30")
    with writing(client) as row:
        person = named_person(payroll_number)
        found = selectors.named_run(run) if run is not None else None
        items.add_pay_item(
            person.counterparty_id,
            element,
            parse_minor(amount, row.currency),
            period=period.date(),
            reason=reason,
            run_id=found.id if found else None,
            source="cli",
            minutes=minutes,
        )
    typer.echo(
        f"{payroll_number}: {element} {amount} waits for its run; see `engineroom payroll items {client}`"
    )


@app.command("items", rich_help_panel=GIVEN)
@on_the_ground
def items_list(
    client: Client,
    withdraw: Annotated[int | None, typer.Option(help="have one not paid, by its place in the list")] = None,
    reason: Annotated[str, typer.Option(help="why it is withdrawn")] = "",
) -> None:
    """Items that wait for a run, and what is paid every period; or withdraw one that waits."""
    from django.utils import timezone

    from engineroom.cli import show
    from engineroom.foundation.audit import services as audit
    from engineroom.payroll import items

    with writing(client) as row:
        found, recurring = items.items_waiting(), items.recurring_pay(timezone.now().date())
        audit.record("read", subject_kind="pay_item", subject_id=None, detail={"purpose": "items"})
        if withdraw is not None:
            if not 1 <= withdraw <= len(found):
                raise NotFound(f"there is no {withdraw} in the list; {len(found)} items wait")
            items.withdraw_pay_item(found[withdraw - 1].id, reason=reason)
    if withdraw is not None:
        typer.echo(f"{found[withdraw - 1].person.payroll_number}: {found[withdraw - 1].element} is withdrawn")
        return
    told = [
        (n, one.person.payroll_number, one.element, show.money(one.amount, row.currency),
         f"run {one.run.number}" if one.run else str(one.period), one.reason)
        for n, one in enumerate(found, 1)
    ]  # fmt: skip
    show.table("Items that wait", ("", "number", "element", "amount", "for", "why"), told, right=[3])
    every = [
        (n, one.row.person.payroll_number, one.row.element, show.money(one.row.amount, row.currency),
         one.row.starts, one.row.ends or "",
         "" if one.row.total is None else show.money(one.row.total, row.currency),
         "" if one.row.total is None else show.money(one.paid, row.currency))
        for n, one in enumerate(recurring, 1)
    ]  # fmt: skip
    if every:
        headings = ("", "number", "element", "amount", "from", "until", "in all", "paid")
        show.table("Every period", headings, every, right=[3, 6, 7])


@app.command("recurring-add", rich_help_panel=GIVEN)
@on_the_ground
def recurring_add(
    client: Client,
    payroll_number: PayrollNumber,
    element: Annotated[str, typer.Argument(help="a pay element, such as commission_pay")],
    amount: Annotated[str, typer.Argument(help="of a pay period, as 50.00; after -- also below zero")],
    starts: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="the first day")],
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the last day")] = None,
    total: Annotated[str, typer.Option(help="in all: the last period pays what is left of it")] = "",
    reason: Annotated[str, typer.Option(help="why; it is kept with it")] = "",
) -> None:
    """Pay a person an amount of an element every period, until a day or up to a total."""
    from engineroom.kernel.money import parse_minor
    from engineroom.payroll import items
    from engineroom.people.selectors import named_person

    with writing(client) as row:
        items.add_recurring_pay(
            named_person(payroll_number).counterparty_id,
            element,
            parse_minor(amount, row.currency),
            starts=starts.date(),
            ends=until.date() if until else None,
            total=parse_minor(total, row.currency) if total else None,
            reason=reason,
        )
    up_to = f", {total} in all" if total else ""
    typer.echo(f"{payroll_number}: {element} {amount} every period from {starts.date()}{up_to}")


@app.command("recurring-end", rich_help_panel=GIVEN)
@on_the_ground
def recurring_end(
    client: Client,
    place: Annotated[int, typer.Argument(help="its place in the list of `payroll items`")],
    ends: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="the last day on which it is paid")],
) -> None:
    """End pay of every period."""
    from django.utils import timezone

    from engineroom.payroll import items

    with writing(client):
        found = items.recurring_pay(timezone.now().date())
        if not 1 <= place <= len(found):
            raise NotFound(f"there is no {place} in the list; {len(found)} are paid every period")
        row = found[place - 1].row
        items.end_recurring_pay(row.id, ends=ends.date())
    typer.echo(f"{row.person.payroll_number}: {row.element} is paid last on {ends.date()}")


@app.command("schedule-put", rich_help_panel=GIVEN)
@on_the_ground
def schedule_put(
    client: Client,
    payroll_number: PayrollNumber,
    schedule: Annotated[str, typer.Argument(help="the pay schedule's code")],
    starts: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="from this day on")],
) -> None:
    """Pay a person on a schedule from a day on. Many at once: a file of the kind on-schedule."""
    from engineroom.payroll import schedules as found
    from engineroom.people.selectors import named_person

    with writing(client):
        person = named_person(payroll_number)
        found.put_on_schedule(person.counterparty_id, schedule, starts=starts.date())
    typer.echo(f"{payroll_number} is paid on {schedule} from {starts.date()}")


@app.command("orders", rich_help_panel=GIVEN)
@on_the_ground
def orders_list(client: Client) -> None:
    """Attachment orders that are not over, with what each took so far."""
    from django.utils import timezone

    from engineroom.foundation.tenancy.scope import acting
    from engineroom.kernel.money import format_minor
    from engineroom.payroll import orders

    user = identity()
    row = client_named(user, client)
    with acting(user, read=[row.id], write=row.id):
        for view in orders.pay_orders(timezone.now().date()):
            owed = "no sum" if view.balance is None else format_minor(view.balance, row.currency)
            typer.echo(
                f"{view.row.id}  {view.row.person.payroll_number}  {view.kind} {view.row.reference}, "
                f"from {view.row.starts}: {format_minor(view.taken, row.currency)} taken, {owed} left"
            )


@app.command("order-add", rich_help_panel=GIVEN)
@on_the_ground
def order_add(
    client: Client,
    payroll_number: PayrollNumber,
    kind: Annotated[str, typer.Argument(help="such as council_tax; a wrong one lists those there are")],
    reference: Annotated[str, typer.Argument(help="the order's own number")],
    creditor: Annotated[str, typer.Option(help="the code of whom it pays")],
    made_on: Annotated[datetime, typer.Option()],
    starts: Annotated[datetime, typer.Option(help="the first day on which pay that is paid is taken from")],
    reason: Reason,
    creditor_name: Annotated[str, typer.Option(help="of a new creditor")] = "",
    states: Annotated[
        list[str] | None, typer.Option(help="what it states: normal_deduction=50.00; several times")
    ] = None,
) -> None:
    """Enter an attachment order."""
    from engineroom.payroll import orders
    from engineroom.people.selectors import named_person

    with writing(client) as row:
        said = orders.OrderSaid(
            kind,
            reference,
            creditor,
            made_on.date(),
            starts.date(),
            orders.stated_as_text(states or [], row.currency),
            creditor_name=creditor_name,
        )
        orders.add_pay_order(named_person(payroll_number).counterparty_id, said, reason=reason)
    typer.echo(f"{payroll_number}: order {reference} is taken from pay from {starts.date()}")


@app.command("order-vary", rich_help_panel=GIVEN)
@on_the_ground
def order_vary(
    client: Client,
    order: Annotated[UUID, typer.Argument(help="its id, as `payroll orders` prints it")],
    starts: Annotated[datetime, typer.Option()],
    reason: Reason,
    states: Annotated[
        list[str] | None, typer.Option(help="what it states: normal_deduction=50.00; several times")
    ] = None,
) -> None:
    """From a day on the order states other figures; what it missed and its balance go on."""
    from engineroom.payroll import orders

    with writing(client) as row:
        stated = orders.stated_as_text(states or [], row.currency)
        orders.vary_pay_order(order, starts=starts.date(), stated=stated, reason=reason)
    typer.echo(f"the order is varied from {starts.date()}")


@app.command("order-end", rich_help_panel=GIVEN)
@on_the_ground
def order_end(
    client: Client,
    order: Annotated[UUID, typer.Argument(help="its id, as `payroll orders` prints it")],
    ends: Annotated[datetime, typer.Option(help="the last day on which it takes")],
    reason: Reason,
) -> None:
    """End an attachment order: it was discharged, or called off."""
    from engineroom.payroll import orders

    with writing(client):
        done = orders.end_pay_order(order, ends=ends.date(), reason=reason)
    typer.echo(f"the order ends on {done.ends}")


@app.command("debts", rich_help_panel=GIVEN)
@on_the_ground
def debts_list(client: Client) -> None:
    """What people owe their employer, with what is left of each debt."""
    from django.utils import timezone

    from engineroom.foundation.tenancy.scope import acting
    from engineroom.kernel.money import format_minor
    from engineroom.payroll import debts

    user = identity()
    row = client_named(user, client)
    with acting(user, read=[row.id], write=row.id):
        for view in debts.debts(timezone.now().date()):
            each, paid_back, left = (
                format_minor(amount, row.currency) for amount in (view.row.instalment, view.taken, view.left)
            )
            typer.echo(
                f"{view.row.id}  {view.row.person.payroll_number}  {view.kind} {view.row.reference}, "
                f"from {view.row.starts}: {each} a period, {paid_back} paid back, {left} left"
            )


@app.command("debt-add", rich_help_panel=GIVEN)
@on_the_ground
def debt_add(
    client: Client,
    payroll_number: PayrollNumber,
    kind: Annotated[str, typer.Argument(help="advance, loan or overpayment (pay to come back)")],
    reference: Annotated[str, typer.Argument(help="the agreement's own number")],
    amount: Annotated[str, typer.Argument(help="in all: 500.00")],
    instalment: Annotated[str, typer.Option(help="of a pay period: 50.00")],
    starts: Annotated[datetime, typer.Option(help="the first day on which pay that is paid is taken from")],
    reason: Reason,
    leaves: Annotated[str, typer.Option(help="net pay that is left, at least")] = "0",
) -> None:
    """Enter a debt: runs take an instalment off net pay until it is paid."""
    from engineroom.kernel.money import parse_minor
    from engineroom.payroll import debts
    from engineroom.people.selectors import named_person

    with writing(client) as row:
        amounts = [parse_minor(text, row.currency) for text in (amount, instalment, leaves)]
        said = debts.DebtSaid(kind, reference, amounts[0], amounts[1], starts.date(), amounts[2])
        debts.add_debt(named_person(payroll_number).counterparty_id, said, reason=reason)
    typer.echo(f"{payroll_number}: debt {reference} is taken off pay from {starts.date()}")


@app.command("debt-vary", rich_help_panel=GIVEN)
@on_the_ground
def debt_vary(
    client: Client,
    debt: Annotated[UUID, typer.Argument(help="its id, as `payroll debts` prints it")],
    starts: Annotated[datetime, typer.Option()],
    instalment: Annotated[str, typer.Option(help="of a pay period: 50.00")],
    reason: Reason,
    leaves: Annotated[str, typer.Option(help="net pay that is left, at least")] = "0",
) -> None:
    """From a day on another instalment is taken; what is left of the debt goes on."""
    from engineroom.kernel.money import parse_minor
    from engineroom.payroll import debts

    with writing(client) as row:
        each, least = (parse_minor(text, row.currency) for text in (instalment, leaves))
        debts.vary_debt(debt, starts=starts.date(), instalment=each, leaves=least, reason=reason)
    typer.echo(f"another instalment is taken from {starts.date()}")


@app.command("debt-end", rich_help_panel=GIVEN)
@on_the_ground
def debt_end(
    client: Client,
    debt: Annotated[UUID, typer.Argument(help="its id, as `payroll debts` prints it")],
    ends: Annotated[datetime, typer.Option(help="the last day on which it is taken")],
    reason: Reason,
) -> None:
    """End a debt: it was paid otherwise, or let off."""
    from engineroom.payroll import debts

    with writing(client):
        done = debts.end_debt(debt, ends=ends.date(), reason=reason)
    typer.echo(f"the debt is taken until {done.ends}")


@app.command("claim-state", rich_help_panel=GIVEN)
@on_the_ground
def claim_state(
    client: Client,
    payroll_number: PayrollNumber,
    first_day: Annotated[datetime, typer.Argument(help="of the first of linked stretches")],
    reason: Reason,
    earnings: Annotated[str, typer.Argument(help="of the relevant period, as 4,615.38")] = "",
    periods: Annotated[int, typer.Argument(help="weeks in it, or months with --monthly")] = 1,
    payment: Annotated[str, typer.Option(help="ssp, or of parents smp, sap, spp, shpp, spbp, sncp")] = "ssp",
    paid_until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="instead of earnings: the qualifying week's last day"),
    ] = None,
    weeks_paid_before: Annotated[int, typer.Option(help="of parents' pay for this child, elsewhere")] = 0,
    monthly: Annotated[bool, typer.Option("--monthly")] = False,
    waiting_days_served: Annotated[int, typer.Option(help="in the linked sickness, elsewhere")] = 0,
    days_paid_before: Annotated[int, typer.Option(help="in the linked sickness, elsewhere")] = 0,
) -> None:
    """State what sick pay goes by, where it cannot be found in what was paid here; or a parent's claim."""
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.kernel.money import parse_minor
    from engineroom.payroll import claims
    from engineroom.people.selectors import named_person

    user = identity()
    row = client_named(user, client)
    figures = {
        "waiting_days_served": waiting_days_served,
        "days_paid_before": days_paid_before,
        "weeks_paid_before": weeks_paid_before,
    }
    if earnings:
        said = parse_minor(earnings, row.currency)
        figures |= {"relevant_earnings": said, "relevant_periods": periods, "paid_monthly": int(monthly)}
    with acting(user, write=row.id):
        person = named_person(payroll_number).counterparty_id
        until = paid_until.date() if paid_until else None
        claims.state_claim(person, payment, first_day.date(), figures, reason=reason, paid_until=until)
    by = f"{earnings} in {periods}" if earnings else f"what was paid until {until}"
    typer.echo(f"{payroll_number}: {payment} from {first_day.date()} goes by {by}")
    seal_everything()


@app.command("tax-set", rich_help_panel=GIVEN)
@on_the_ground
def tax_set(
    client: Client,
    payroll_number: PayrollNumber,
    starts: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="from this payday on")],
    code: Annotated[str | None, typer.Option(help="the tax code, as HMRC's notice has it")] = None,
    cumulative: Annotated[bool | None, typer.Option("--cumulative/--week1", help="its basis")] = None,
    category: Annotated[str | None, typer.Option(help="the NI category's letter")] = None,
    loan: Annotated[str | None, typer.Option(help="the student loan's plan: 1, 2, 4, 5 or none")] = None,
    postgraduate: Annotated[bool | None, typer.Option("--postgraduate/--no-postgraduate")] = None,
    other: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="anything that the client's country keeps, as in a file"
        ),
    ] = None,
) -> None:
    """Tax somebody otherwise from a day on; what is not named stays as it stands. Many at once: a file of the
    kind tax-details. The first options are Great Britain's; --set says what any country keeps."""
    from engineroom.payroll import tax_details
    from engineroom.people.selectors import named_person

    named = {
        "tax_code": code, "basis": {True: "cumulative", False: "week1", None: None}[cumulative],
        "ni_category": category and category.upper(), "student_loan_plan": "" if loan == "none" else loan,
        "postgraduate_loan": postgraduate,
    }  # fmt: skip
    changes: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    typed = {name: value for name, equals, value in (text.partition("=") for text in other or ()) if equals}
    if len(typed) < len(other or ()):
        raise EngineroomError("write what is set as NAME=VALUE, each name once")
    currency = client_named(identity(), client).currency
    with writing(client):
        person = named_person(payroll_number)
        stands = tax_details.standing(person.counterparty_id, starts.date())
        said = (stands or {}) | changes | tax_details.as_typed(typed, currency)
        done = tax_details.set_tax_details(person.counterparty_id, said, starts=starts.date())
    typer.echo(f"{payroll_number} is taxed by {done.tax_code} from {done.starts}")
    typer.echo("next: calculate the run of that payday again, if it is calculated and not released")


@app.command(rich_help_panel=GIVEN)
@on_the_ground
def workbook(
    client: Client,
    schedule: Annotated[str, typer.Argument(help="the pay schedule's code")],
    pay_date: PayDate,
    out: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="the folder it is written to")
    ] = Path(),
) -> None:
    """Write the workbook of a period's inputs; filled in, it comes back by `import CLIENT workbook FILE`."""
    from engineroom.foundation.audit import services as audit
    from engineroom.foundation.tenancy.scope import acting
    from engineroom.payroll import schedules as found
    from engineroom.payroll import workbook_imports

    user = identity()
    with acting(user, read=[client_named(user, client).id]) as scope:
        name, content, people = workbook_imports.workbook_of(schedule, pay_date.date())
        row = found.find_schedule(schedule)
        audit.record_read(
            scope.read[0], subject_kind="pay_schedule", subject_id=row.id, detail={"rows": people}
        )
    there = out / name
    there.write_bytes(content)
    typer.echo(f"{there}: {people} people")
    typer.echo(f"next: fill it in, then engineroom import {client} workbook {there}")
    seal_everything()


@app.command("let-in", rich_help_panel=GIVEN)
@on_the_ground
def let_in(
    client: Client,
    schedule: Annotated[str, typer.Argument(help="the pay schedule's code")],
    pay_date: PayDate,
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="the last day that is in time")],
    reason: Reason,
) -> None:
    """Let late inputs of a period in; a lead says so, and the reason stays."""
    from engineroom.payroll import cut_off

    with writing(client):
        done = cut_off.let_late_inputs_in(schedule, pay_date.date(), until=until.date(), reason=reason)
    typer.echo(f"inputs of {schedule} from {done.period_starts} are in time until {done.until}")
    typer.echo("next: bring them in, then calculate the run of that period again")
